// Matrix products with the shapes of the 124.7M student (C = 768, 12 + 2 * 4 heads of 64).
#include <benchmark/benchmark.h>

#include <vector>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/kernels/gemm_half_weights.h"
#include "support/roofline.h"

namespace gladius {
namespace {

// x [tokens, k] * w [n, k]^T: a linear layer.
void linear(benchmark::State& state) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const std::vector<float> x(static_cast<std::size_t>(m * k), 0.5f);
  const std::vector<float> w(static_cast<std::size_t>(n * k), 0.5f);
  std::vector<float> y(static_cast<std::size_t>(m * n));
  for (auto _ : state) {
    kernels::gemm(false, true, m, n, k, 1.0f, x.data(), k, w.data(), k, 0.0f, y.data(), n);
  }
  bench::count_operations(state, 2.0 * static_cast<double>(m * n * k));
  bench::count_bytes(state, sizeof(float) * static_cast<double>(n * k + m * k + m * n));
}
// dx [tokens, k] = dy [tokens, n] * w [n, k].
void linear_dx(benchmark::State& state) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const std::vector<float> dy(static_cast<std::size_t>(m * n), 0.5f);
  const std::vector<float> w(static_cast<std::size_t>(n * k), 0.5f);
  std::vector<float> dx(static_cast<std::size_t>(m * k));
  for (auto _ : state) {
    kernels::gemm(false, false, m, k, n, 1.0f, dy.data(), n, w.data(), k, 0.0f, dx.data(), k);
  }
  bench::count_operations(state, 2.0 * static_cast<double>(m * n * k));
  bench::count_bytes(state, sizeof(float) * static_cast<double>(n * k + m * k + m * n));
}

// dw [n, k] += dy [tokens, n]^T * x [tokens, k].
void linear_dw(benchmark::State& state) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const std::vector<float> dy(static_cast<std::size_t>(m * n), 0.5f);
  const std::vector<float> x(static_cast<std::size_t>(m * k), 0.5f);
  std::vector<float> dw(static_cast<std::size_t>(n * k));
  for (auto _ : state) {
    kernels::gemm(true, false, n, k, m, 1.0f, dy.data(), n, x.data(), k, 1.0f, dw.data(), k);
  }
  bench::count_operations(state, 2.0 * static_cast<double>(m * n * k));
  bench::count_bytes(state, sizeof(float) * static_cast<double>(2 * n * k + m * k + m * n));
}

// The same with weights in 16 bits.
template <class W>
void linear_half(benchmark::State& state) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const std::vector<float> x(static_cast<std::size_t>(m * k), 0.5f);
  const std::vector<W> w(static_cast<std::size_t>(n * k), W(0.5f));
  std::vector<float> y(static_cast<std::size_t>(m * n));
  for (auto _ : state) kernels::gemm_half_weights(m, n, k, x.data(), w.data(), y.data());
  bench::count_operations(state, 2.0 * static_cast<double>(m * n * k));
  bench::count_bytes(state, static_cast<double>(2 * n * k + 4 * m * (n + k)));
}

void student_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"tokens", "n", "k"})
      ->ArgsProduct({{1, 10, 32, 64, 512}, {1280, 32000}, {768}})
      ->UseRealTime();
}
BENCHMARK(linear)->Apply(student_sizes);
BENCHMARK(linear_dx)->Apply(student_sizes);
BENCHMARK(linear_dw)->Apply(student_sizes);
BENCHMARK(linear_half<bfloat16>)->Apply(student_sizes);
BENCHMARK(linear_half<float16>)->Apply(student_sizes);

}  // namespace
}  // namespace gladius
