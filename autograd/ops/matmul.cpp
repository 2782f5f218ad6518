#include "gladius/tensor/matmul.h"

#include <fmt/format.h>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {
namespace {

// Gradients of a product of operands with at least two dimensions.
std::vector<Variable> matrix_gradients(const Variable& g, const Variable& a, const Variable& b,
                                       const BackwardContext& context) {
  return {context.needs(0) ? sum_to(matmul(g, transpose(b, -1, -2)), a.shape()) : Variable(),
          context.needs(1) ? sum_to(matmul(transpose(a, -1, -2), g), b.shape()) : Variable()};
}

// [..., C] as a matrix of rows.
Tensor as_rows(const Tensor& x) {
  const Shape leading(x.shape().begin(), x.shape().end() - 1);
  return x.reshape({numel(leading), x.size(-1)});
}

// g^T x, added to the gradient that the weight has or returned as its first.
Variable weight_gradient(const Tensor& g, const Tensor& x, const Shape& shape,
                         const BackwardContext& context) {
  if (Tensor* held = context.accumulate_into(1)) {
    matmul_into(*held, g.transpose(0, 1), x, true);
    return {};
  }
  Tensor gradient = Tensor::empty(shape, g.dtype());
  matmul_into(gradient, g.transpose(0, 1), x, false);
  return Variable(std::move(gradient));
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b) {
  if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), b.dim() == 1 ? 0 : -2);
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [u = SavedVariable(a), v = SavedVariable(b)](const Variable& g,
                                                             const BackwardContext& context) {
                  return matrix_gradients(g, u.unpack(context), v.unpack(context), context);
                });
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  Tensor y = linear(x.value(), weight.value());
  if (bias.defined()) {
    if (bias.shape() != Shape{weight.size(0)}) {
      throw ShapeError(fmt::format("linear: bias {} does not fit weight {}",
                                   to_string(bias.shape()), to_string(weight.shape())));
    }
    add_(y, bias.value().to(y.dtype()));
  }
  return record(
      "linear", std::move(y), {x, weight, bias},
      [u = weight.requires_grad() ? SavedVariable(x) : SavedVariable(), v = SavedVariable(weight),
       in_shape = x.shape()](const Variable& g, const BackwardContext& context) {
        refuse_double_backward(context);
        const Tensor rows = as_rows(g.value());
        std::vector<Variable> grads(3);
        if (context.needs(0)) {
          const Tensor w = v.tensor(context).to(rows.dtype());
          grads[0] = Variable(matmul(rows, w).reshape(in_shape));
        }
        if (context.needs(1)) {
          grads[1] =
              weight_gradient(rows, as_rows(u.tensor(context)), v.tensor(context).shape(), context);
        }
        if (context.needs(2)) grads[2] = Variable(sum(rows, {0}));
        return grads;
      });
}

}  // namespace gladius
