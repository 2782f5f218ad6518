// Reductions of variables over any dimensions (none given: all); differentiable any number of
// times.
#pragma once

#include "gladius/autograd/variable.h"
#include "gladius/tensor/reduce.h"

namespace gladius {

Variable sum(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable mean(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// The sum of squared distances from the mean, divided by n - correction, or by 0 if that is
/// negative, as torch.var does (NaN for nothing, and for one element with a correction of 1).
Variable var(const Variable& x, const Dims& dims = {}, double correction = 1, bool keepdim = false);
/// The gradient is shared out evenly among equal extremes, as torch.amax does.
Variable amax(const Variable& x, const Dims& dims = {}, bool keepdim = false);
Variable amin(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// log(sum(exp(x))), stable for large x; -inf for no elements.
Variable logsumexp(const Variable& x, const Dims& dims = {}, bool keepdim = false);
/// Sums over what broadcasting from `shape` added or stretched.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace gladius
