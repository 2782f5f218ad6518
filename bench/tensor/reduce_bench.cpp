#include "gladius/tensor/reduce.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

// Calls reduction(x [T, C]), which reads x once.
template <class Reduction>
void run_reduction(benchmark::State& state, Reduction&& reduction) {
  const Shape shape{state.range(0), C};
  for (auto _ : state) reduction(activations().tensor(shape));
  count_elements(state, static_cast<double>(numel(shape)));
}

void sum_all(benchmark::State& state) {
  run_reduction(state, [](const Tensor& x) { sum(x); });
}
// The gradient of a bias.
void sum_columns(benchmark::State& state) {
  run_reduction(state, [](const Tensor& x) { sum(x, {0}); });
}
void mean_rows(benchmark::State& state) {
  run_reduction(state, [](const Tensor& x) { mean(x, {-1}, true); });
}
// Greedy generation's choice.
void argmax_logits(benchmark::State& state) {
  for (auto _ : state) argmax(activations().tensor({V}));
  count_elements(state, static_cast<double>(V));
}

BENCHMARK(sum_all)->Apply(tokens);
BENCHMARK(sum_columns)->Apply(tokens);
BENCHMARK(mean_rows)->Apply(tokens);
BENCHMARK(argmax_logits)->UseRealTime();

}  // namespace
}  // namespace gladius::bench
