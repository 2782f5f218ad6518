// Copies between tensors whose elements are contiguous along different dimensions. Private.
#pragma once

#include <cstddef>

#include "gladius/tensor/dtype.h"
#include "gladius/tensor/strided.h"

namespace gladius {

/// Copies what the loop's operand 1 at `in` holds to operand 0 at `out`, both of `dtype`, if the
/// loop is over transposed matrices of floats or doubles (any number of them); false, and nothing
/// is copied, if it is not. The operands must not overlap.
bool copy_transposed(const StridedLoop<2>& loop, Dtype dtype, const std::byte* in, std::byte* out);

}  // namespace gladius
