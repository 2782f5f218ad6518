// The operations of residuals, gradients and masks, each with new memory for its result.
#include "gladius/tensor/elementwise.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

// Calls operation() on [T, C], which moves so many tensors of this size.
template <class Operation>
void run_elementwise(benchmark::State& state, std::int64_t moved, Operation&& operation) {
  const Shape shape{state.range(0), C};
  for (auto _ : state) operation(shape);
  count_elements(state, static_cast<double>(moved * numel(shape)));
}

void add(benchmark::State& state) {
  run_elementwise(state, 3, [](const Shape& shape) {
    gladius::add(activations().tensor(shape), activations().tensor(shape));
  });
}

void add_in_place(benchmark::State& state) {
  run_elementwise(state, 3, [](const Shape& shape) {
    Tensor x = results().tensor(shape);
    add_(x, activations().tensor(shape));
  });
}

void add_broadcast(benchmark::State& state) {
  run_elementwise(state, 2, [](const Shape& shape) {
    gladius::add(activations().tensor(shape), weights().tensor({C}));
  });
}

void mul(benchmark::State& state) {
  run_elementwise(state, 3, [](const Shape& shape) {
    gladius::mul(activations().tensor(shape), activations().tensor(shape));
  });
}

void mul_scalar(benchmark::State& state) {
  run_elementwise(state, 2,
                  [](const Shape& shape) { gladius::mul(activations().tensor(shape), -1); });
}

void mul_scalar_in_place(benchmark::State& state) {
  run_elementwise(state, 2, [](const Shape& shape) {
    Tensor x = results().tensor(shape);
    mul_(x, -1);  // stays away from subnormal numbers
  });
}

BENCHMARK(add)->Apply(tokens);
BENCHMARK(add_in_place)->Apply(tokens);
BENCHMARK(add_broadcast)->Apply(tokens);
BENCHMARK(mul)->Apply(tokens);
BENCHMARK(mul_scalar)->Apply(tokens);
BENCHMARK(mul_scalar_in_place)->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
