// Products of a linear layer over T tokens with the student's weights [n, k].
#include "gladius/tensor/kernels/gemm.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

// Calls product(x [T, k], w [n, k], y [T, n]) with matrices from memory.
template <class Product>
void run_products(benchmark::State& state, Product&& product) {
  const std::int64_t n = state.range(0), k = state.range(1), T = state.range(2);
  for (auto _ : state) {
    product(T, n, k, activations().elements(T * k), weights().elements(n * k),
            results().elements(T * n));
  }
  count_operations(state, 2.0 * static_cast<double>(T * n * k));
  count_elements(state, static_cast<double>(n * k + T * k + T * n));
}

void linear(benchmark::State& state) {
  run_products(state, [](auto T, auto n, auto k, const float* x, const float* w, float* y) {
    kernels::gemm(false, true, T, n, k, 1.0f, x, k, w, k, 0.0f, y, n);
  });
}

// dx = dy * w, overwritten.
void linear_dx(benchmark::State& state) {
  run_products(state, [](auto T, auto n, auto k, float* dx, const float* w, const float* dy) {
    kernels::gemm(false, false, T, k, n, 1.0f, dy, n, w, k, 0.0f, dx, k);
  });
}

// dw += dy^T * x.
void linear_dw(benchmark::State& state) {
  run_products(state, [](auto T, auto n, auto k, const float* x, float* dw, const float* dy) {
    kernels::gemm(true, false, n, k, T, 1.0f, dy, n, x, k, 1.0f, dw, k);
  });
}

void student_weights(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "k", "T"})->UseRealTime();
  for (const auto& [n, k] : {std::pair{C, C}, {Hkv * D, C}, {F, C}, {C, F}, {V, C}}) {
    for (const std::int64_t T : {1, 16, 64, 512}) benchmark->Args({n, k, T});
  }
}
BENCHMARK(linear)->Apply(student_weights);
BENCHMARK(linear_dx)->Apply(student_weights);
BENCHMARK(linear_dw)->Apply(student_weights);

}  // namespace
}  // namespace gladius::bench
