#include "gladius/nn/embedding.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

void embedding(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  Layers<nn::Embedding> layers([] { return std::make_shared<nn::Embedding>(V, C); });
  TokenBatches batches(T);
  run_layer(state, elements(2 * T * C, 3 * T * C),
            [&] { return layers.next().forward(batches.next()); });
}

BENCHMARK(embedding)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
