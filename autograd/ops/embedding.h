// Rows of a table.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// Rows `ids` (I64 or I32 [...]) of weight [V, C] -> [..., C], F32 for a frozen F16 or BF16 table.
/// ShapeError for an id that is not below V, DtypeError for ids of another type. A gradient that
/// the weight has already is added to in place. Differentiable any number of times.
Variable embedding(const Variable& weight, const Tensor& ids);

}  // namespace gladius
