#include <array>
#include <vector>

#include "gladius/tensor/kernels/rms_norm.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

void rms_norm_forward(benchmark::State& state) {
  const float* weight = weights().elements(C);
  std::vector<float> inv_rms(static_cast<std::size_t>(state.range(0)));
  run_rows<1, 1>(state, C, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
    kernels::rms_norm(in[0], weight, out[0], inv_rms.data() + row, rows, C, 1e-6);
  });
}

void rms_norm_backward(benchmark::State& state) {
  const float* weight = weights().elements(C);
  const std::vector<float> inv_rms(static_cast<std::size_t>(state.range(0)), 1.0f);
  run_rows<2, 1>(state, C, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
    std::array<float, C> dweight{};
    kernels::rms_norm_backward(in[0], weight, inv_rms.data() + row, in[1], out[0], dweight.data(),
                               rows, C);
    benchmark::DoNotOptimize(dweight);
  });
}

BENCHMARK(rms_norm_forward)->Apply(tokens);
BENCHMARK(rms_norm_backward)->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
