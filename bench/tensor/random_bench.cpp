#include "gladius/tensor/random.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

template <void (*fill)(const Tensor&, Generator&, double, double)>
void run_fill(benchmark::State& state) {
  const Shape shape{state.range(0), C};
  Generator generator(0);
  for (auto _ : state) fill(results().tensor(shape), generator, 0.25, 1);
  count_elements(state, static_cast<double>(numel(shape)));
}

BENCHMARK(run_fill<fill_uniform_>)->Name("fill_uniform")->Apply(tokens);
BENCHMARK(run_fill<fill_normal_>)->Name("fill_normal")->Apply(tokens);
BENCHMARK(run_fill<fill_bernoulli_>)->Name("fill_bernoulli")->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
