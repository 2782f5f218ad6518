// The gradient of a linear layer's weight.
#pragma once

#include <utility>

#include "gladius/autograd/node.h"
#include "gladius/tensor/matmul.h"

namespace gladius {

/// g^T x [V, C] of g [N, V] and x [N, C], which may be BF16, for the weight at input 1: added to
/// the gradient that it has, which gives an undefined variable, or returned as its first.
inline Variable weight_gradient(const Tensor& g, const Tensor& x, const BackwardContext& context) {
  if (Tensor* held = context.accumulate_into(1)) {
    matmul_into(*held, g.transpose(0, 1), x, {.accumulate = true});
    return {};
  }
  Tensor first = Tensor::empty({g.size(1), x.size(1)}, g.dtype());
  matmul_into(first, g.transpose(0, 1), x, {.stream = true});  // the optimizer reads it next
  return Variable(std::move(first));
}

}  // namespace gladius
