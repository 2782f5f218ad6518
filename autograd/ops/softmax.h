// Softmax and its logarithm; differentiable any number of times.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// exp(x) / sum(exp(x)) along `dim`, stable for large x; a scalar is taken for one element.
Variable softmax(const Variable& x, std::int64_t dim = -1);
/// log(softmax(x)).
Variable log_softmax(const Variable& x, std::int64_t dim = -1);

}  // namespace gladius
