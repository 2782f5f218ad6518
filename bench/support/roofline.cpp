#include "support/roofline.h"

#include <algorithm>
#include <cstdint>

#include "gladius/tensor/kernels/adamw.h"
#include "gladius/tensor/kernels/gemm_small.h"
#include "gladius/tensor/parallel.h"
#include "support/measure.h"

namespace gladius::bench {
namespace {

constexpr int kRuns = 8;
constexpr std::int64_t kStream = std::int64_t{64} << 20;  // floats of an array
constexpr std::int64_t kGrain = 1 << 16;

// The best of a few runs: the roof is what the machine does undisturbed.
template <class F>
double shortest_seconds(F&& body) {
  double shortest = 1e30;
  for (int run = 0; run < kRuns; ++run) shortest = std::min(shortest, seconds(body));
  return shortest;
}

double measure_multiply_adds() {
  constexpr std::int64_t m = 48, n = 64, k = 64;  // 40 KiB with the result
  constexpr std::int64_t blocks = 4000;
  const std::int64_t threads = num_threads();
  const double seconds = shortest_seconds([&] {
    parallel_for(threads, 1, [&](std::int64_t, std::int64_t) {
      const Tensor a = Tensor::zeros({m, k}), b = Tensor::zeros({k, n}), c = Tensor::zeros({m, n});
      for (std::int64_t block = 0; block < blocks; ++block) {
        kernels::gemm_small(m, n, k, a.data<float>(), k, 1, b.data<float>(), n, c.data<float>(), n,
                            true);
      }
    });
  });
  return 2.0 * m * n * k * blocks * static_cast<double>(threads) / seconds;
}

double measure_triad() {
  MemoryStreams streams;
  double best = 0;
  for (int run = 0; run < kRuns; ++run) best = std::max(best, streams.triad());
  return best;
}

void count(benchmark::State& state, const char* rate, const char* fraction, double amount,
           double roof) {
  constexpr auto per_second = benchmark::Counter::kIsIterationInvariantRate;
  state.counters[rate] = benchmark::Counter(amount, per_second);
  state.counters[fraction] = benchmark::Counter(amount / roof, per_second);
}

}  // namespace

MemoryStreams::MemoryStreams() : a_(Tensor::zeros({kStream})), b_(Tensor::zeros({kStream})) {}

double MemoryStreams::triad() {
  const double taken = seconds([&] {
    parallel_for(kStream, kGrain, [&](std::int64_t begin, std::int64_t end) {
      float* a = a_.data<float>();
      const float* b = b_.data<float>();
      for (std::int64_t i = begin; i < end; ++i) a[i] = b[i] + 3.0f * a[i];
    });
    benchmark::DoNotOptimize(a_.raw_data());
  });
  return 3.0 * kStream * sizeof(float) / taken;
}

double MemoryStreams::read() const {
  const double taken = seconds([&] {
    parallel_for(kStream, kGrain, [&](std::int64_t begin, std::int64_t end) {
      benchmark::DoNotOptimize(kernels::sum_of_squares(b_.data<float>() + begin, end - begin));
    });
  });
  return kStream * sizeof(float) / taken;
}

double multiply_add_peak() {
  static const double peak = measure_multiply_adds();
  return peak;
}

double triad_bandwidth() {
  static const double bandwidth = measure_triad();
  return bandwidth;
}

void count_operations(benchmark::State& state, double operations) {
  count(state, "FLOP/s", "of_peak", operations, multiply_add_peak());
}

void count_bytes(benchmark::State& state, double bytes) {
  count(state, "B/s", "of_triad", bytes, triad_bandwidth());
}

}  // namespace gladius::bench
