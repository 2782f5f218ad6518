// Over both tables of the vocabulary.
#include "gladius/tensor/kernels/adamw.h"
#include "gladius/tensor/parallel.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

constexpr std::int64_t kAdamwElements = 2 * V * C;
constexpr std::int64_t kGrain = 1 << 16;

void adamw(benchmark::State& state) {
  const Tensor param = weights().tensor({kAdamwElements}).clone();
  const Tensor m = Tensor::zeros({kAdamwElements}), v = Tensor::zeros({kAdamwElements});
  for (auto _ : state) {
    const float* grad = activations().elements(kAdamwElements);
    parallel_for(kAdamwElements, kGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels::adamw(param.data<float>() + begin, grad + begin, m.data<float>() + begin,
                     v.data<float>() + begin, end - begin, kernels::AdamWStep{});
    });
  }
  // Four are read, three of them written.
  count_elements(state, static_cast<double>(7 * kAdamwElements));
}

void clip_grad_norm_sum_of_squares(benchmark::State& state) {
  for (auto _ : state) {
    const float* x = activations().elements(kAdamwElements);
    parallel_for(kAdamwElements, kGrain, [&](std::int64_t begin, std::int64_t end) {
      benchmark::DoNotOptimize(kernels::sum_of_squares(x + begin, end - begin));
    });
  }
  count_elements(state, static_cast<double>(kAdamwElements));
}

BENCHMARK(adamw)->UseRealTime();
BENCHMARK(clip_grad_norm_sum_of_squares)->UseRealTime();

}  // namespace
}  // namespace gladius::bench
