// Few rows of x against the weights of a product [F, C].
#include "gladius/tensor/kernels/gemv.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

void matmul_few_rows(benchmark::State& state) {
  const std::int64_t T = state.range(0);
  for (auto _ : state) {
    kernels::parallel_gemv(T, F, C, activations().elements(T * C), C, weights().elements(F * C), C,
                           results().elements(T * F), F);
  }
  count_operations(state, 2.0 * static_cast<double>(T * F * C));
  count_elements(state, static_cast<double>(F * C + T * (F + C)));
}

BENCHMARK(matmul_few_rows)->ArgName("T")->Arg(1)->Arg(4)->Arg(16)->UseRealTime();

}  // namespace
}  // namespace gladius::bench
