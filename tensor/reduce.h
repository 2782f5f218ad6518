// Reductions over any dimensions, and running sums along one. No gradients (see
// autograd/ops/reduce.h).
#pragma once

#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius {

/// Dimensions to reduce, negatives counted from the end; none given means all of them.
using Dims = std::vector<std::int64_t>;

/// `shape` after reducing `dims`: without them, or with sizes of 1 if `keepdim`.
/// ShapeError naming `op` for a dimension that is not there or is named twice.
Shape reduced_shape(const char* op, const Shape& shape, const Dims& dims, bool keepdim);

// Over F32 or F64; sums accumulate in double. `amax` and `amin` over no elements throw
// ShapeError; they give NaN where there is one, as PyTorch's.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& dims = {}, bool keepdim = false);

/// log(sum(exp(x))), stable for large x; -inf for no elements.
Tensor logsumexp(const Tensor& x, const Dims& dims = {}, bool keepdim = false);

/// The index (I64) of the largest or smallest element along `dim`, the first one of several, of a
/// tensor of any type. NaN counts as both the largest and the smallest, as in PyTorch. ShapeError
/// if there are no elements to choose from.
Tensor argmax(const Tensor& x, std::int64_t dim = -1, bool keepdim = false);
Tensor argmin(const Tensor& x, std::int64_t dim = -1, bool keepdim = false);

/// y[i] = x[0] + ... + x[i] along `dim`, of F32 or F64 accumulated in double, or of integers or
/// BOOL, which give I64.
Tensor cumsum(const Tensor& x, std::int64_t dim);

/// Sums x over the dimensions that broadcasting added to `shape` or stretched: the gradient of
/// expand. ShapeError if `shape` does not broadcast to x's.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gladius
