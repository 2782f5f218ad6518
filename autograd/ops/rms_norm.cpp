#include "gladius/autograd/ops/rms_norm.h"

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/norm_rows.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/kernels/rms_norm.h"

namespace gladius {
namespace {

constexpr const char* kRmsNorm = "rms_norm";

struct RmsNormForward {
  Tensor y, inv_rms;
};

RmsNormForward forward(const Tensor& x, const Tensor& weight, double eps) {
  const std::int64_t C = x.size(-1), rows = norm_rows::rows_of(x);
  RmsNormForward result{Tensor::empty(x.shape(), x.dtype()), Tensor::empty({rows}, x.dtype())};
  norm_rows::for_each_block(kRmsNorm, x.dtype(), rows, [&](auto zero, auto, auto row, auto count) {
    using T = decltype(zero);
    kernels::rms_norm(x.data<T>() + row * C, weight.data<T>(), result.y.data<T>() + row * C,
                      result.inv_rms.data<T>() + row, count, C, eps);
  });
  return result;
}

std::vector<Variable> backward(const Tensor& x, const Tensor& weight, const Tensor& inv_rms,
                               const Tensor& dy, const BackwardContext& context) {
  const std::int64_t C = x.size(-1), rows = inv_rms.numel();
  const Tensor dx = context.needs(0) ? Tensor::empty(x.shape(), x.dtype()) : Tensor();
  const Tensor partial =
      context.needs(1) ? Tensor::zeros({norm_rows::blocks_of(rows), C}, x.dtype()) : Tensor();
  norm_rows::for_each_block(
      kRmsNorm, x.dtype(), rows, [&](auto zero, auto block, auto row, auto count) {
        using T = decltype(zero);
        kernels::rms_norm_backward(x.data<T>() + row * C, weight.data<T>(), inv_rms.data<T>() + row,
                                   dy.data<T>() + row * C, norm_rows::pointer<T>(dx, row * C),
                                   norm_rows::pointer<T>(partial, block * C), count, C);
      });
  return {dx.defined() ? Variable(dx) : Variable(),
          partial.defined() ? Variable(sum(partial, {0})) : Variable()};
}

// The same in operations on variables.
std::vector<Variable> recorded_rms_norm_backward(const Variable& x, const Variable& weight,
                                                 double eps, const Variable& g,
                                                 const BackwardContext& context) {
  const Variable inv_rms = rsqrt(mean(x * x, {-1}, true) + eps);
  const Variable n = x * inv_rms;
  std::vector<Variable> grads(2);
  if (context.needs(0)) {
    const Variable d = g * weight;
    grads[0] = inv_rms * (d - n * mean(d * n, {-1}, true));
  }
  if (context.needs(1)) grads[1] = sum_to(g * n, weight.shape());
  return grads;
}

}  // namespace

Variable rms_norm(const Variable& x, const Variable& weight, double eps) {
  norm_rows::check_eps(kRmsNorm, eps);
  const Tensor w = norm_rows::parameter(kRmsNorm, "weight", x, weight);
  const Tensor in = x.value().contiguous();
  RmsNormForward result = forward(in, w, eps);
  return record(kRmsNorm, std::move(result.y), {x, weight},
                [u = SavedVariable(Variable(in, x.node()), Keep::as_activation),
                 v = SavedVariable(Variable(w, weight.node())), inv_rms = result.inv_rms,
                 eps](const Variable& g, const BackwardContext& context) {
                  if (grad_enabled()) {
                    return recorded_rms_norm_backward(u.unpack(context), v.unpack(context), eps, g,
                                                      context);
                  }
                  return backward(u.tensor(context), v.tensor(context), inv_rms,
                                  g.value().contiguous(), context);
                });
}

}  // namespace gladius
