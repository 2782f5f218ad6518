// Reductions of variables over any dimensions (none given: all); differentiable any number of
// times.
#pragma once

#include "gladius/autograd/variable.h"
#include "gladius/tensor/reduce.h"

namespace gladius {

Variable sum(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable mean(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// Divided by n - correction, as torch.var.
Variable var(const Variable& x, const Dims& dims = {}, double correction = 1, bool keepdim = false);
/// The gradient is shared out evenly among equal extremes, as torch.amax does.
Variable amax(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable amin(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// log(sum(exp(x))), stable for large x.
Variable logsumexp(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// Sums over what broadcasting from `shape` added or stretched.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace gladius
