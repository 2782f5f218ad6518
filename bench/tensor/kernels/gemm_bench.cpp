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

template <Precision precision>
void matmul_linear_forward(benchmark::State& state) {
  run_products(state, 1, [](std::int64_t T, std::int64_t n, std::int64_t k) {
    kernels::gemm(T, n, k, activations().elements(T * k), k, weights().elements(n * k), k,
                  results().elements(T * n), n, {.transpose_b = true, .precision = precision});
  });
}

// dx = dy * w.
template <Precision precision>
void matmul_linear_backward_input(benchmark::State& state) {
  run_products(state, 1, [](std::int64_t T, std::int64_t n, std::int64_t k) {
    kernels::gemm(T, k, n, activations().elements(T * n), n, weights().elements(n * k), k,
                  results().elements(T * k), k, {.precision = precision});
  });
}

// dw += dy^T * x.
template <Precision precision>
void matmul_linear_backward_weight(benchmark::State& state) {
  run_products(state, 2, [](std::int64_t T, std::int64_t n, std::int64_t k) {
    kernels::gemm(n, k, T, activations().elements(T * n), n, activations().elements(T * k), k,
                  results().elements(n * k), k,
                  {.transpose_a = true, .beta = 1, .precision = precision});
  });
}

void student_weights(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "k", "T"})->UseRealTime();
  for (const auto& [n, k] : {std::pair{C, C}, {Hkv * D, C}, {F, C}, {C, F}, {V, C}}) {
    for (const std::int64_t T : {1, 16, 64, 512}) benchmark->Args({n, k, T});
  }
}
#define STUDENT_PRODUCTS(kernel)                                            \
  BENCHMARK(kernel<Precision::f32>)->Name(#kernel)->Apply(student_weights); \
  BENCHMARK(kernel<Precision::bf16>)->Name(#kernel "_in_bf16")->Apply(student_weights)
STUDENT_PRODUCTS(matmul_linear_forward);
STUDENT_PRODUCTS(matmul_linear_backward_input);
STUDENT_PRODUCTS(matmul_linear_backward_weight);
#undef STUDENT_PRODUCTS

// With weights in 16 bits.
template <class W>
void matmul_half_weights(benchmark::State& state) {
  const std::int64_t n = state.range(0), k = state.range(1), T = state.range(2);
  // Of many layers, in turns, so that they come from memory.
  const std::int64_t count = OperandRing::kSize / (n * k);
  const Tensor layers = weights().tensor({count * n * k}).to(dtype_of<W>);
  std::int64_t layer = 0;
  for (auto _ : state) {
    const W* w = layers.data<W>() + (layer++ % count) * n * k;
    kernels::gemm(T, n, k, activations().elements(T * k), k, w, k, results().elements(T * n), n,
                  {.transpose_b = true});
  }
  count_operations(state, 2.0 * static_cast<double>(T * n * k));
  count_bytes(state, static_cast<double>(2 * n * k + 4 * T * (n + k)));
}

void student_half_weights(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "k", "T"})->ArgsProduct({{F, V}, {C}, {1, 16, 64, 512}})->UseRealTime();
}
BENCHMARK(matmul_half_weights<bfloat16>)
    ->Name("matmul_linear_forward_bf16")
    ->Apply(student_half_weights);
BENCHMARK(matmul_half_weights<float16>)
    ->Name("matmul_linear_forward_f16")
    ->Apply(student_half_weights);

}  // namespace
}  // namespace gladius::bench
