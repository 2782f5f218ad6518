#include "gladius/nn/rotary_embedding.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

void rotary_embedding(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  nn::RotaryEmbedding rotary(D, 10000);
  const Tensor positions = Tensor::arange(T);
  run_layer(state, elements(2 * T * C, 2 * T * C), [&] {
    return rotary.forward(input({T, H, D}), positions);
  });
}

BENCHMARK(rotary_embedding)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
