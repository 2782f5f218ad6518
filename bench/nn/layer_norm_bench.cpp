#include "gladius/nn/layer_norm.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

void layer_norm(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  Layers<nn::LayerNorm> layers([] { return std::make_shared<nn::LayerNorm>(C); });
  run_layer(state, elements(2 * T * C, 3 * T * C), [&] {
    return layers.next().forward(input({T, C}));
  });
}

BENCHMARK(layer_norm)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
