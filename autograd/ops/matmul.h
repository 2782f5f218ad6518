// Matrix products of variables.
#pragma once

#include <span>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// As torch.matmul, batched and broadcast; differentiable any number of times.
Variable matmul(const Variable& a, const Variable& b);

/// x W^T + b for x [..., K], weight [N, K] and, if defined, bias [N] -> [..., N]. Gradients of a
/// weight that has one already are added to it by the matrix product itself. Frozen weights and
/// biases may be BF16 or F16. ShapeError for sizes that do not fit, DtypeError for trainable
/// parameters of another type than x. Differentiable any number of times.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {});

struct LinearParameters {
  const Variable& weight;
  const Variable& bias;  // may be undefined
};
/// linear() of one x with each of `layers`: the same values and gradients, and faster for a single
/// row within NoGrad, as in generation.
std::vector<Variable> linear_each(const Variable& x, std::span<const LinearParameters> layers);

}  // namespace gladius
