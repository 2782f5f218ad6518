#include "gladius/autograd/ops/layer_norm.h"

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/norm_rows.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/kernels/layer_norm.h"

namespace gladius {
namespace {

constexpr const char* kLayerNorm = "layer_norm";

struct LayerNormForward {
  Tensor y, mean, inv_std;
};

LayerNormForward forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const std::int64_t C = x.size(-1), rows = norm_rows::rows_of(x);
  LayerNormForward result{Tensor::empty(x.shape(), x.dtype()), Tensor::empty({rows}, x.dtype()),
                          Tensor::empty({rows}, x.dtype())};
  norm_rows::for_each_block(
      kLayerNorm, x.dtype(), rows, [&](auto zero, auto, auto row, auto count) {
        using T = decltype(zero);
        kernels::layer_norm(x.data<T>() + row * C, weight.data<T>(), bias.data<T>(),
                            result.y.data<T>() + row * C, result.mean.data<T>() + row,
                            result.inv_std.data<T>() + row, count, C, eps);
      });
  return result;
}

// `x`, `weight` and the two statistics of each row are those of forward.
std::vector<Variable> backward(const Tensor& x, const Tensor& weight, const Tensor& mean,
                               const Tensor& inv_std, const Tensor& dy,
                               const BackwardContext& context) {
  const std::int64_t C = x.size(-1), rows = mean.numel();
  const auto partial = [&](std::size_t input) {
    return context.needs(input) ? Tensor::zeros({norm_rows::blocks_of(rows), C}, x.dtype())
                                : Tensor();
  };
  const Tensor dx = context.needs(0) ? Tensor::empty(x.shape(), x.dtype()) : Tensor();
  const Tensor dweight = partial(1), dbias = partial(2);
  norm_rows::for_each_block(
      kLayerNorm, x.dtype(), rows, [&](auto zero, auto block, auto row, auto count) {
        using T = decltype(zero);
        kernels::layer_norm_backward(x.data<T>() + row * C, weight.data<T>(), mean.data<T>() + row,
                                     inv_std.data<T>() + row, dy.data<T>() + row * C,
                                     norm_rows::pointer<T>(dx, row * C),
                                     norm_rows::pointer<T>(dweight, block * C),
                                     norm_rows::pointer<T>(dbias, block * C), count, C);
      });
  return {dx.defined() ? Variable(dx) : Variable(),
          dweight.defined() ? Variable(sum(dweight, {0})) : Variable(),
          dbias.defined() ? Variable(sum(dbias, {0})) : Variable()};
}

// The same in operations on variables.
std::vector<Variable> recorded_layer_norm_backward(const Variable& x, const Variable& weight,
                                                   double eps, const Variable& g,
                                                   const BackwardContext& context) {
  const Variable centred = x - mean(x, {-1}, true);
  const Variable inv_std = rsqrt(mean(centred * centred, {-1}, true) + eps);
  const Variable n = centred * inv_std;
  std::vector<Variable> grads(3);
  if (context.needs(0)) {
    const Variable d = g * weight;
    grads[0] = inv_std * (d - mean(d, {-1}, true) - n * mean(d * n, {-1}, true));
  }
  if (context.needs(1)) grads[1] = sum_to(g * n, weight.shape());
  if (context.needs(2)) grads[2] = sum_to(g, weight.shape());
  return grads;
}

}  // namespace

Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps) {
  norm_rows::check_eps(kLayerNorm, eps);
  if (x.dim() == 0) throw ShapeError("layer_norm: input [] has no dimension to normalise over");
  const auto parameter = [&](const char* name, const Variable& p, double otherwise) {
    return p.defined() ? norm_rows::parameter(kLayerNorm, name, x, p)
                       : Tensor::full({x.size(-1)}, otherwise, x.dtype());
  };
  const Tensor w = parameter("weight", weight, 1), b = parameter("bias", bias, 0);
  const Tensor in = x.value().contiguous();
  LayerNormForward result = forward(in, w, b, eps);
  const std::shared_ptr<Node> place = weight.defined() ? weight.node() : nullptr;
  return record(kLayerNorm, std::move(result.y), {x, weight, bias},
                [u = SavedVariable(Variable(in, x.node())), v = SavedVariable(Variable(w, place)),
                 mean = result.mean, inv_std = result.inv_std,
                 eps](const Variable& g, const BackwardContext& context) {
                  if (grad_enabled()) {
                    return recorded_layer_norm_backward(u.unpack(context), v.unpack(context), eps,
                                                        g, context);
                  }
                  return backward(u.tensor(context), v.tensor(context), mean, inv_std,
                                  g.value().contiguous(), context);
                });
}

}  // namespace gladius
