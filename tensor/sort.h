// Elements in order along a dimension. No gradients; gather() with the indices has them.
#pragma once

#include "gladius/tensor/tensor.h"

namespace gladius {

/// Elements in order, and where each was along the dimension (I64).
struct Sorted {
  Tensor values, indices;
};

/// x of any type in ascending or descending order along `dim`. Equal elements stay in the order
/// they have; NaN counts as larger than every number, as in PyTorch. ShapeError for a dimension
/// that is not there.
Sorted sort(const Tensor& x, std::int64_t dim = -1, bool descending = false);

/// The k largest elements along `dim` in descending order, or the k smallest in ascending order:
/// the first k of sort(), found without sorting the others. ShapeError for a k that is negative or
/// larger than the dimension.
Sorted topk(const Tensor& x, std::int64_t k, std::int64_t dim = -1, bool largest = true);

}  // namespace gladius
