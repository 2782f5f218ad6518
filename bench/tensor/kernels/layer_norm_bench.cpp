#include <array>
#include <vector>

#include "gladius/tensor/kernels/layer_norm.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

void layer_norm_forward(benchmark::State& state) {
  const float *weight = weights().elements(C), *bias = weights().elements(C);
  std::vector<float> mean(static_cast<std::size_t>(state.range(0))), inv_std(mean);
  run_rows<1, 1>(state, C, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
    kernels::layer_norm(in[0], weight, bias, out[0], mean.data() + row, inv_std.data() + row, rows,
                        C, 1e-5);
  });
}

void layer_norm_backward(benchmark::State& state) {
  const float* weight = weights().elements(C);
  const std::vector<float> mean(static_cast<std::size_t>(state.range(0))), inv_std(mean.size(), 1);
  run_rows<2, 1>(state, C, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
    std::array<float, C> dweight{}, dbias{};
    kernels::layer_norm_backward(in[0], weight, mean.data() + row, inv_std.data() + row, in[1],
                                 out[0], dweight.data(), dbias.data(), rows, C);
    benchmark::DoNotOptimize(dweight);
    benchmark::DoNotOptimize(dbias);
  });
}

BENCHMARK(layer_norm_forward)->Apply(tokens);
BENCHMARK(layer_norm_backward)->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
