#include <vector>

#include "gladius/tensor/kernels/divergence_loss.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

template <Divergence divergence>
void divergence_loss(benchmark::State& state) {
  const std::int64_t T = state.range(0);
  const Tensor labels = random_ids(T);
  std::vector<double> ce(static_cast<std::size_t>(T)), kl(ce);
  run_rows<2, true>(state, V, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
    kernels::divergence_loss({divergence, 0.5, V, V, V, -100, 2.0, 0.5, 0.5}, in[0], in.back(),
                             labels.data<std::int64_t>() + row, out[0], ce.data() + row,
                             kl.data() + row, rows);
  });
}

BENCHMARK(divergence_loss<Divergence::reverse_kl>)
    ->Name("reverse_kl_forward_backward")
    ->Apply(rows_of_logits);
BENCHMARK(divergence_loss<Divergence::jsd>)->Name("jsd_forward_backward")->Apply(rows_of_logits);
BENCHMARK(divergence_loss<Divergence::skew_kl>)
    ->Name("skew_kl_forward_backward")
    ->Apply(rows_of_logits);

}  // namespace
}  // namespace gladius::bench
