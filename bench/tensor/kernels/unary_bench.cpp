// Over the positive halves of 32 Mi normally distributed numbers, so that all are in the domain of
// the logarithm and the roots.
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/kernels/unary.h"
#include "gladius/tensor/parallel.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

constexpr std::int64_t kUnaryElements = std::int64_t{32} << 20;

template <void (*kernel)(const float*, float*, std::int64_t)>
void unary(benchmark::State& state) {
  static const Tensor positive = abs(activations().tensor({kUnaryElements}));
  const float* x = positive.data<float>();
  for (auto _ : state) {
    float* y = results().elements(kUnaryElements);
    parallel_for(kUnaryElements, kUnaryElements / 64, [&](std::int64_t begin, std::int64_t end) {
      kernel(x + begin, y + begin, end - begin);
    });
  }
  count_elements(state, static_cast<double>(2 * kUnaryElements));
}

BENCHMARK(unary<kernels::exp<float>>)->Name("exp")->UseRealTime();
BENCHMARK(unary<kernels::log<float>>)->Name("log")->UseRealTime();
BENCHMARK(unary<kernels::tanh<float>>)->Name("tanh")->UseRealTime();
BENCHMARK(unary<kernels::sigmoid<float>>)->Name("sigmoid")->UseRealTime();
BENCHMARK(unary<kernels::silu<float>>)->Name("silu")->UseRealTime();
BENCHMARK(unary<kernels::gelu<float>>)->Name("gelu")->UseRealTime();
BENCHMARK(unary<kernels::gelu_slope<float>>)->Name("gelu_backward")->UseRealTime();
BENCHMARK(unary<kernels::sqrt<float>>)->Name("sqrt")->UseRealTime();
BENCHMARK(unary<kernels::rsqrt<float>>)->Name("rsqrt")->UseRealTime();

}  // namespace
}  // namespace gladius::bench
