#include "gladius/nn/dropout.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

void dropout(benchmark::State& state) {
  const std::int64_t T = tokens_of(state);
  nn::Dropout layer(0.1);
  // The mask is written and read again, in both passes.
  run_layer(state, elements(4 * T * C, 3 * T * C), [&] { return layer.forward(input({T, C})); });
}

BENCHMARK(dropout)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
