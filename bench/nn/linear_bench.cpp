#include "gladius/nn/linear.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

template <std::int64_t in, std::int64_t out>
void linear(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  Layers<nn::Linear> layers([] { return std::make_shared<nn::Linear>(in, out, false); });
  run_layer(state, linear_passes(T, in, out), [&] {
    return layers.next().forward(input({T, in}));
  });
}

// Inputs and outputs: C = 768, F = 2048, V = 32000.
BENCHMARK(linear<C, C>)->Name("linear_768x768")->Apply(passes_and_tokens);
BENCHMARK(linear<C, F>)->Name("linear_768x2048")->Apply(passes_and_tokens);
BENCHMARK(linear<F, C>)->Name("linear_2048x768")->Apply(passes_and_tokens);
BENCHMARK(linear<C, V>)
    ->Name("linear_768x32000")
    ->ArgNames({"backward", "T"})
    ->ArgsProduct({{0, 1}, {16, 512}})
    ->UseRealTime();

}  // namespace
}  // namespace gladius::bench
