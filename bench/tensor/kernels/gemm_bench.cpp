// Products of a linear layer over T tokens with the student's weights [n, k].
#include "gladius/tensor/kernels/gemm.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

// Calls product(T, n, k), which moves a matrix of weights so many times, and x and y once each.
template <class Product>
void run_products(benchmark::State& state, std::int64_t weight_moves, Product&& product) {
  const std::int64_t n = state.range(0), k = state.range(1), T = state.range(2);
  for (auto _ : state) product(T, n, k);
  count_operations(state, 2.0 * static_cast<double>(T * n * k));
  count_elements(state, static_cast<double>(weight_moves * n * k + T * (n + k)));
}

void matmul_linear_forward(benchmark::State& state) {
  run_products(state, 1, [](std::int64_t T, std::int64_t n, std::int64_t k) {
    kernels::gemm(false, true, T, n, k, 1.0f, activations().elements(T * k), k,
                  weights().elements(n * k), k, 0.0f, results().elements(T * n), n);
  });
}

// dx = dy * w.
void matmul_linear_backward_input(benchmark::State& state) {
  run_products(state, 1, [](std::int64_t T, std::int64_t n, std::int64_t k) {
    kernels::gemm(false, false, T, k, n, 1.0f, activations().elements(T * n), n,
                  weights().elements(n * k), k, 0.0f, results().elements(T * k), k);
  });
}

// dw += dy^T * x.
void matmul_linear_backward_weight(benchmark::State& state) {
  run_products(state, 2, [](std::int64_t T, std::int64_t n, std::int64_t k) {
    kernels::gemm(true, false, n, k, T, 1.0f, activations().elements(T * n), n,
                  activations().elements(T * k), k, 1.0f, results().elements(n * k), k);
  });
}

void student_weights(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "k", "T"})->UseRealTime();
  for (const auto& [n, k] : {std::pair{C, C}, {Hkv * D, C}, {F, C}, {C, F}, {V, C}}) {
    for (const std::int64_t T : {1, 16, 64, 512}) benchmark->Args({n, k, T});
  }
}
BENCHMARK(matmul_linear_forward)->Apply(student_weights);
BENCHMARK(matmul_linear_backward_input)->Apply(student_weights);
BENCHMARK(matmul_linear_backward_weight)->Apply(student_weights);

}  // namespace
}  // namespace gladius::bench
