// Matrix products with the shapes of the 124.7M student (C = 768, 12 + 2 * 4 heads of 64).
#include <benchmark/benchmark.h>

#include <vector>

#include "gladius/tensor/kernels/gemm.h"
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
BENCHMARK(linear)
    ->ArgNames({"tokens", "n", "k"})
    ->ArgsProduct({{1, 16, 512}, {1280, 32000}, {768}})
    ->UseRealTime();

}  // namespace
}  // namespace gladius
