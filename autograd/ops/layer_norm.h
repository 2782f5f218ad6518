// Layer normalization (Ba et al. 2016, arXiv:1607.06450).
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// (x - mean(x)) / sqrt(var(x) + eps) * weight + bias over the last dimension, with the biased
/// variance: x [..., C], weight and bias [C], each of which may be undefined (1 and 0), and F16 or
/// BF16 if it needs no gradient. ShapeError for others, DtypeError for trainable ones of another
/// type than x, ConfigError for a negative eps. Fused; differentiable any number of times.
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps);

}  // namespace gladius
