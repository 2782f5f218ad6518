// Root mean square layer normalization (Zhang & Sennrich 2019, arXiv:1910.07467).
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension: x [..., C], weight [C]. The weight
/// may be F16 or BF16 if it needs no gradient. ShapeError for another weight, DtypeError for a
/// trainable one of another type than x, ConfigError for a negative eps. Fused; differentiable any
/// number of times.
Variable rms_norm(const Variable& x, const Variable& weight, double eps);

}  // namespace gladius
