// Rotary position embedding (Su et al. 2021, arXiv:2104.09864).
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// Rotates the pairs (i, i + D/2) of each head, Hugging Face's layout: x [..., H, D] over tokens
/// [...], cos and sin [P, D/2] of x's type (the tables of nn/rotary_embedding.h), positions I64
/// or I32 [...] below P. ShapeError or DtypeError otherwise. Fused; differentiable any number of
/// times.
Variable rotary_embedding(const Variable& x, const Tensor& cos, const Tensor& sin,
                          const Tensor& positions);

}  // namespace gladius
