// Matrix products of tensors beyond those of kernels/gemm_bench.cpp.
#include "gladius/tensor/matmul.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

// q k^T of each head, as attention in primitive operations has it.
void matmul_attention_scores(benchmark::State& state) {
  const std::int64_t T = state.range(0);
  for (auto _ : state) {
    matmul(activations().tensor({H, T, D}), activations().tensor({H, T, D}).transpose(1, 2));
  }
  count_operations(state, 2.0 * static_cast<double>(H * T * T * D));
  count_elements(state, static_cast<double>(2 * H * T * D + H * T * T));
}

// Of one token, as each layer's products in generation.
void matmul_vector(benchmark::State& state) {
  for (auto _ : state) matmul(weights().tensor({F, C}), activations().tensor({C}));
  count_elements(state, static_cast<double>(F * C));
}

BENCHMARK(matmul_attention_scores)->ArgName("T")->Arg(16)->Arg(512)->UseRealTime();
BENCHMARK(matmul_vector)->UseRealTime();

}  // namespace
}  // namespace gladius::bench
