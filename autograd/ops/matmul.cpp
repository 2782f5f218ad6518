#include "gladius/tensor/matmul.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/autograd/ops/weight_gradient.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/weight.h"

namespace gladius {
namespace {

// Gradients of a product of operands with at least two dimensions.
std::vector<Variable> matrix_gradients(const Variable& g, const Variable& a, const Variable& b,
                                       const BackwardContext& context) {
  return {context.needs(0) ? sum_to(matmul(g, transpose(b, -1, -2)), a.shape()) : Variable(),
          context.needs(1) ? sum_to(matmul(transpose(a, -1, -2), g), b.shape()) : Variable()};
}

// The shape of [..., C] as a matrix of rows.
Shape rows_shape(const Shape& shape) {
  return {numel({shape.begin(), shape.end() - 1}), shape.back()};
}

Tensor as_rows(const Tensor& x) { return x.reshape(rows_shape(x.shape())); }

// What the backward function of linear has to work with.
struct LinearCall {
  SavedVariable x;  // saved only for the gradient of the weight
  SavedVariable weight;
  Shape in_shape;

  std::vector<Variable> backward(const Tensor& g, const BackwardContext& context) const {
    const Tensor rows = as_rows(g);
    std::vector<Variable> grads(3);
    if (context.needs(0)) {
      grads[0] = Variable(Weight(weight.tensor(context)).multiply_transposed(g));
    }
    if (context.needs(1)) {
      grads[1] = weight_gradient(rows, as_rows(x.kept(context)), context);
    }
    if (context.needs(2)) grads[2] = Variable(sum(rows, {0}));
    return grads;
  }

  // The same in operations on variables.
  std::vector<Variable> recorded_backward(const Variable& g, const BackwardContext& context) const {
    const Variable rows = reshape(g, rows_shape(g.shape()));
    const Variable w = weight.unpack(context);
    std::vector<Variable> grads(3);
    if (context.needs(0)) {
      // Of another type only if frozen.
      const Variable converted = w.dtype() == g.dtype() ? w : Variable(w.value().to(g.dtype()));
      grads[0] = reshape(matmul(rows, converted), in_shape);
    }
    if (context.needs(1)) {
      grads[1] = matmul(transpose(rows, 0, 1), reshape(x.unpack(context), rows_shape(in_shape)));
    }
    if (context.needs(2)) grads[2] = sum(rows, {0});
    return grads;
  }
};

void check_bias(const Variable& x, const Variable& weight, const Variable& bias) {
  if (bias.shape() != Shape{weight.size(0)}) {
    throw ShapeError(fmt::format("linear: bias {} does not fit weight {}", to_string(bias.shape()),
                                 to_string(weight.shape())));
  }
  if (bias.requires_grad() && bias.dtype() != x.dtype()) {
    throw DtypeError(fmt::format("linear: input {} with trainable bias {}; their types differ",
                                 x.value().describe(), bias.value().describe()));
  }
}

// What the gradient of a weight needs of the input.
SavedVariable saved_input(const Variable& x, bool weight_requires_grad) {
  return weight_requires_grad ? SavedVariable(x, Keep::as_activation) : SavedVariable();
}

// The variable of a product x W^T that has been computed, plus the bias.
Variable with_bias(Tensor product, const Variable& x, const SavedVariable& saved,
                   const LinearParameters& layer) {
  const auto& [weight, bias] = layer;
  if (bias.defined()) {
    check_bias(x, weight, bias);
    add_(product, bias.value().to(product.dtype()));
  }
  return record("linear", std::move(product), {x, weight, bias},
                [call = LinearCall{saved, SavedVariable(weight), x.shape()}](
                    const Variable& g, const BackwardContext& context) {
                  return grad_enabled() ? call.recorded_backward(g, context)
                                        : call.backward(g.value(), context);
                });
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
  return with_bias(Weight(weight.value()).multiply(x.value()), x,
                   saved_input(x, weight.requires_grad()), {weight, bias});
}

std::vector<Variable> linear_each(const Variable& x, std::span<const LinearParameters> layers) {
  std::vector<Weight> weights;
  for (const auto& [weight, bias] : layers) weights.emplace_back(weight.value());
  std::vector<Tensor> products = multiply_each(x.value(), weights);
  const SavedVariable saved = saved_input(x, std::ranges::any_of(layers, [](const auto& layer) {
                                            return layer.weight.requires_grad();
                                          }));
  std::vector<Variable> results;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    results.push_back(with_bias(std::move(products[i]), x, saved, layers[i]));
  }
  return results;
}

}  // namespace gladius
