// Copies and fills.
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/tensor.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

// Calls copy(T), which moves so many elements a token.
template <class Copy>
void run_copy(benchmark::State& state, std::int64_t moved, Copy&& copy) {
  const std::int64_t T = state.range(0);
  for (auto _ : state) copy(T);
  count_elements(state, static_cast<double>(T * moved));
}

void clone(benchmark::State& state) {
  run_copy(state, 2 * C, [](std::int64_t T) { activations().tensor({T, C}).clone(); });
}
// [T, H, D] to [H, T, D].
void contiguous_heads(benchmark::State& state) {
  run_copy(state, 2 * C, [](std::int64_t T) {
    activations().tensor({T, H, D}).transpose(0, 1).contiguous();
  });
}
// [T, C] to [C, T].
void contiguous_transposed(benchmark::State& state) {
  run_copy(state, 2 * C, [](std::int64_t T) {
    activations().tensor({T, C}).transpose(0, 1).contiguous();
  });
}
// Keys into a cache.
void copy_to_slice(benchmark::State& state) {
  run_copy(state, 2 * Hkv * D, [](std::int64_t T) {
    results().tensor({2 * T, Hkv, D}).narrow(0, T, T).copy_(activations().tensor({T, Hkv, D}));
  });
}
void zero(benchmark::State& state) {
  run_copy(state, C, [](std::int64_t T) { results().tensor({T, C}).zero_(); });
}
void cat_columns(benchmark::State& state) {
  run_copy(state, 4 * C, [](std::int64_t T) {
    cat({activations().tensor({T, C}), activations().tensor({T, C})}, 1);
  });
}

BENCHMARK(clone)->Apply(tokens);
BENCHMARK(contiguous_heads)->Apply(tokens);
BENCHMARK(contiguous_transposed)->Apply(tokens);
BENCHMARK(copy_to_slice)->Apply(tokens);
BENCHMARK(zero)->Apply(tokens);
BENCHMARK(cat_columns)->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
