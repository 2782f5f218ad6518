#include "gladius/tensor/kernels/swiglu.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

void swiglu_forward(benchmark::State& state) {
  run_rows<2, 1>(state, F, [](auto in, auto out, std::int64_t, std::int64_t rows) {
    kernels::swiglu(in[0], in[1], out[0], rows, F, F, F);
  });
}

void swiglu_backward(benchmark::State& state) {
  run_rows<3, 2>(state, F, [](auto in, auto out, std::int64_t, std::int64_t rows) {
    kernels::swiglu_backward(in[0], in[1], in[2], out[0], out[1], rows, F, F, F);
  });
}

BENCHMARK(swiglu_forward)->Apply(tokens);
BENCHMARK(swiglu_backward)->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
