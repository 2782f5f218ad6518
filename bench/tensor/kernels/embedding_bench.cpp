#include "gladius/tensor/kernels/embedding.h"
#include "gladius/tensor/parallel.h"
#include "support/operands.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

void embedding_forward(benchmark::State& state) {
  const std::int64_t T = state.range(0);
  const float* table = weights().elements(V * C);
  TokenBatches batches(T);
  for (auto _ : state) {
    const std::int64_t* ids = batches.next().data<std::int64_t>();
    float* y = results().elements(T * C);
    parallel_for(T, 64, [&](std::int64_t begin, std::int64_t end) {
      kernels::embedding(table, ids + begin, y + begin * C, end - begin, C);
    });
  }
  count_elements(state, static_cast<double>(2 * T * C));
}

void embedding_backward(benchmark::State& state) {
  const std::int64_t T = state.range(0);
  float* dtable = results().elements(V * C);
  TokenBatches batches(T);
  for (auto _ : state) {
    const std::int64_t* ids = batches.next().data<std::int64_t>();
    const float* dy = activations().elements(T * C);
    parallel_for(C, 64, [&](std::int64_t begin, std::int64_t end) {
      kernels::embedding_backward(dy, ids, dtable, T, C, begin, end);
    });
  }
  // dy is read, rows of the table's gradient are read and written.
  count_elements(state, static_cast<double>(3 * T * C));
}

BENCHMARK(embedding_forward)->Apply(tokens);
BENCHMARK(embedding_backward)->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
