#include "gladius/nn/swiglu.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

void swiglu(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  Layers<nn::SwiGLU> layers([] { return std::make_shared<nn::SwiGLU>(C, F); });
  const Passes passes = linear_passes(T, C, F) + linear_passes(T, C, F) +
                        elements(3 * T * F, 5 * T * F) + linear_passes(T, F, C);
  run_layer(state, passes, [&] { return layers.next().forward(input({T, C})); });
}

BENCHMARK(swiglu)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
