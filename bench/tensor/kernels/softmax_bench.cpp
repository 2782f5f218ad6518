// Rows of the vocabulary.
#include <vector>

#include "gladius/tensor/kernels/softmax.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

template <void (*kernel)(const float*, float*, std::int64_t, std::int64_t)>
void forward(benchmark::State& state) {
  run_rows<1, 1>(state, V, [](auto in, auto out, std::int64_t, std::int64_t rows) {
    kernel(in[0], out[0], rows, V);
  });
}

template <void (*kernel)(const float*, const float*, float*, std::int64_t, std::int64_t)>
void backward(benchmark::State& state) {
  run_rows<2, 1>(state, V, [](auto in, auto out, std::int64_t, std::int64_t rows) {
    kernel(in[0], in[1], out[0], rows, V);
  });
}

void logsumexp(benchmark::State& state) {
  std::vector<float> result(static_cast<std::size_t>(state.range(0)));
  run_rows<1, 0>(state, V, [&](auto in, auto, std::int64_t row, std::int64_t rows) {
    kernels::logsumexp(in[0], result.data() + row, rows, V);
  });
}

BENCHMARK(forward<kernels::softmax>)->Name("softmax_forward")->Apply(rows_of_logits);
BENCHMARK(backward<kernels::softmax_backward>)->Name("softmax_backward")->Apply(rows_of_logits);
BENCHMARK(forward<kernels::log_softmax>)->Name("log_softmax_forward")->Apply(rows_of_logits);
BENCHMARK(backward<kernels::log_softmax_backward>)
    ->Name("log_softmax_backward")
    ->Apply(rows_of_logits);
BENCHMARK(logsumexp)->Apply(rows_of_logits);

}  // namespace
}  // namespace gladius::bench
