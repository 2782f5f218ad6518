// Products with weights [n, k] in 16 bits over T tokens.
#include "gladius/tensor/kernels/gemm_half_weights.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

template <class W>
void linear(benchmark::State& state) {
  const std::int64_t n = state.range(0), k = state.range(1), T = state.range(2);
  // Of many layers, in turns, so that they come from memory.
  const std::int64_t count = OperandRing::kSize / (n * k);
  const Tensor layers = weights().tensor({count * n * k}).to(dtype_of<W>);
  std::int64_t layer = 0;
  for (auto _ : state) {
    const W* w = layers.data<W>() + (layer++ % count) * n * k;
    kernels::gemm_half_weights(T, n, k, activations().elements(T * k), w,
                               results().elements(T * n));
  }
  count_operations(state, 2.0 * static_cast<double>(T * n * k));
  count_bytes(state, static_cast<double>(2 * n * k + 4 * T * (n + k)));
}

void student_half_weights(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "k", "T"})->ArgsProduct({{F, V}, {C}, {1, 16, 64, 512}})->UseRealTime();
}
BENCHMARK(linear<bfloat16>)->Name("matmul_linear_forward_bf16")->Apply(student_half_weights);
BENCHMARK(linear<float16>)->Name("matmul_linear_forward_f16")->Apply(student_half_weights);

}  // namespace
}  // namespace gladius::bench
