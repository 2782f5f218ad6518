#include "gladius/tensor/kernels/rms_norm.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/rms_norm.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/reduce.h"

namespace gladius {
namespace {

constexpr std::int64_t kRowsPerBlock = 32;

struct Forward {
  Tensor y, inv_rms;
};

Forward forward(const Tensor& x, const Tensor& weight, double eps) {
  const std::int64_t C = x.size(-1), rows = C == 0 ? 0 : x.numel() / C;
  Forward result{Tensor::empty(x.shape(), x.dtype()), Tensor::empty({rows}, x.dtype())};
  dispatch_floating("rms_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(rows, kRowsPerBlock, [&](std::int64_t begin, std::int64_t end) {
      kernels::rms_norm(x.data<T>() + begin * C, weight.data<T>(), result.y.data<T>() + begin * C,
                        result.inv_rms.data<T>() + begin, end - begin, C, eps);
    });
  });
  return result;
}

// The weight's gradient is summed over blocks of rows and then over the blocks, whatever the number
// of threads.
std::vector<Variable> backward(const Tensor& x, const Tensor& weight, const Tensor& inv_rms,
                               const Tensor& dy, const BackwardContext& context) {
  const std::int64_t C = x.size(-1), rows = inv_rms.numel();
  const std::int64_t blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
  const Tensor dx = context.needs(0) ? Tensor::empty(x.shape(), x.dtype()) : Tensor();
  const Tensor partial = context.needs(1) ? Tensor::zeros({blocks, C}, x.dtype()) : Tensor();
  dispatch_floating("rms_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t row = block * kRowsPerBlock;
        kernels::rms_norm_backward(x.data<T>() + row * C, weight.data<T>(), inv_rms.data<T>() + row,
                                   dy.data<T>() + row * C,
                                   dx.defined() ? dx.data<T>() + row * C : nullptr,
                                   partial.defined() ? partial.data<T>() + block * C : nullptr,
                                   std::min(kRowsPerBlock, rows - row), C);
      }
    });
  });
  return {dx.defined() ? Variable(dx) : Variable(),
          partial.defined() ? Variable(sum(partial, {0})) : Variable()};
}

}  // namespace

Variable rms_norm(const Variable& x, const Variable& weight, double eps) {
  if (x.dim() == 0 || weight.shape() != Shape{x.size(-1)}) {
    throw ShapeError(fmt::format("rms_norm: input {} does not fit weight {}", to_string(x.shape()),
                                 to_string(weight.shape())));
  }
  if (weight.requires_grad() && weight.dtype() != x.dtype()) {
    throw DtypeError(fmt::format("rms_norm: input {} with trainable weight {}; their types differ",
                                 x.value().describe(), weight.value().describe()));
  }
  const Tensor in = x.value().contiguous();
  const Tensor w = weight.value().to(x.dtype()).contiguous();
  Forward result = forward(in, w, eps);
  return record("rms_norm", std::move(result.y), {x, weight},
                [u = SavedVariable(Variable(in)), v = SavedVariable(Variable(w)),
                 inv_rms = result.inv_rms](const Variable& g, const BackwardContext& context) {
                  refuse_double_backward(context);
                  return backward(u.tensor(context), v.tensor(context), inv_rms,
                                  g.value().contiguous(), context);
                });
}

}  // namespace gladius
