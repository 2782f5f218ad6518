#include "support/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/parallel.h"

namespace gladius::bench {
namespace {

// The best of a few runs: the roof is what the machine does undisturbed.
template <class F>
double shortest_seconds(F&& body) {
  double shortest = 1e30;
  for (int run = 0; run < 8; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    shortest = std::min(shortest, taken.count());
  }
  return shortest;
}

double measure_sgemm() {
  constexpr std::int64_t n = 2048;
  const std::vector<float> a(n * n, 0.5f);
  std::vector<float> c(n * n);
  const double seconds = shortest_seconds([&] {
    kernels::gemm(false, true, n, n, n, 1.0f, a.data(), n, a.data(), n, 0.0f, c.data(), n);
  });
  return 2.0 * n * n * n / seconds;
}

double measure_triad() {
  constexpr std::int64_t n = std::int64_t{64} << 20;
  std::vector<float> a(n), b(n, 1.0f), c(n, 2.0f);
  const double seconds = shortest_seconds([&] {
    parallel_for(n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) a[i] = b[i] + 3.0f * c[i];
    });
    benchmark::DoNotOptimize(a.data());
  });
  return 3.0 * n * sizeof(float) / seconds;
}

void count(benchmark::State& state, const char* rate, const char* fraction, double amount,
           double roof) {
  constexpr auto per_second = benchmark::Counter::kIsIterationInvariantRate;
  state.counters[rate] = benchmark::Counter(amount, per_second);
  state.counters[fraction] = benchmark::Counter(amount / roof, per_second);
}

}  // namespace

double sgemm_peak() {
  static const double peak = measure_sgemm();
  return peak;
}

double triad_bandwidth() {
  static const double bandwidth = measure_triad();
  return bandwidth;
}

void count_operations(benchmark::State& state, double operations) {
  count(state, "FLOP/s", "of_sgemm", operations, sgemm_peak());
}

void count_bytes(benchmark::State& state, double bytes) {
  count(state, "B/s", "of_triad", bytes, triad_bandwidth());
}

}  // namespace gladius::bench
