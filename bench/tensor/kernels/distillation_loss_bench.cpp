#include <vector>

#include "gladius/tensor/kernels/distillation_loss.h"
#include "support/row_kernel.h"

namespace gladius::bench {
namespace {

template <bool with_teacher, bool with_gradient>
void loss(benchmark::State& state) {
  const std::int64_t T = state.range(0);
  const Tensor labels = random_ids(T);
  std::vector<double> ce(static_cast<std::size_t>(T)), kl(ce);
  run_rows<1 + with_teacher, with_gradient>(
      state, V, [&](auto in, auto out, std::int64_t row, std::int64_t rows) {
        const float* teacher = with_teacher ? in.back() : nullptr;
        float* grad = nullptr;
        if constexpr (with_gradient) grad = out[0];
        kernels::distillation_loss(in[0], teacher, labels.data<std::int64_t>() + row, grad,
                                   ce.data() + row, kl.data() + row, rows, V, V, V, -100, 2.0, 0.5,
                                   0.5);
      });
}

BENCHMARK(loss<false, false>)->Name("cross_entropy_forward")->Apply(rows_of_logits);
BENCHMARK(loss<false, true>)->Name("cross_entropy_forward_backward")->Apply(rows_of_logits);
BENCHMARK(loss<true, false>)->Name("distillation_loss_forward")->Apply(rows_of_logits);
BENCHMARK(loss<true, true>)->Name("distillation_loss_forward_backward")->Apply(rows_of_logits);

}  // namespace
}  // namespace gladius::bench
