#include "gladius/nn/rms_norm.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

void rms_norm(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  Layers<nn::RMSNorm> layers([] { return std::make_shared<nn::RMSNorm>(C, 1e-6); });
  run_layer(state, elements(2 * T * C, 3 * T * C), [&] {
    return layers.next().forward(input({T, C}));
  });
}

BENCHMARK(rms_norm)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
