// The queries of T tokens; the backward is the inverse rotation.
#include <numeric>
#include <vector>

#include "gladius/tensor/kernels/rotary_embedding.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

template <bool inverse>
void rotary_embedding(benchmark::State& state) {
  const std::int64_t T = state.range(0), token = H * D;
  const float *cos = weights().elements(T * D / 2), *sin = weights().elements(T * D / 2);
  std::vector<std::int64_t> positions(static_cast<std::size_t>(T));
  std::iota(positions.begin(), positions.end(), 0);
  run_rows<1, 1>(state, token, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
    kernels::rotary_embedding(in[0], token, out[0], token, cos, sin, positions.data() + row, rows,
                              H, D, inverse);
  });
}

BENCHMARK(rotary_embedding<false>)->Name("rotary_embedding_forward")->Apply(tokens);
BENCHMARK(rotary_embedding<true>)->Name("rotary_embedding_backward")->Apply(tokens);

}  // namespace
}  // namespace gladius::bench
