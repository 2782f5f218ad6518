// Reductions over any dimensions. No gradients (see autograd/ops/reduce.h).
#pragma once

#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius {

/// Dimensions to reduce, negatives counted from the end; none given means all of them.
using Dims = std::vector<std::int64_t>;

/// `shape` after reducing `dims`: without them, or with sizes of 1 if `keepdim`.
/// ShapeError naming `op` for a dimension that is not there or is named twice.
Shape reduced_shape(const char* op, const Shape& shape, const Dims& dims, bool keepdim);

// Over F32 or F64; sums accumulate in double. `amax` and `amin` of no elements throw ShapeError;
// they give NaN where there is one, as PyTorch's.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& dims = {}, bool keepdim = false);

/// The index (I64) of the largest element along `dim`; the first one of several.
Tensor argmax(const Tensor& x, std::int64_t dim = -1, bool keepdim = false);

/// Sums x over the dimensions that broadcasting added to `shape` or stretched: the gradient of
/// expand.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gladius
