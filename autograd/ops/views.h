// Views, joins and picks of variables; differentiable any number of times.
#pragma once

#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

// Views share the tensor (see Tensor's methods of the same names).
Variable reshape(const Variable& x, const Shape& shape);
Variable view(const Variable& x, const Shape& shape);
Variable permute(const Variable& x, const std::vector<std::int64_t>& dims);
Variable transpose(const Variable& x, std::int64_t a, std::int64_t b);
Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length,
                std::int64_t step = 1);
/// x[..., start:end:step, ...] as Python slices: negative bounds count from the end, and bounds
/// beyond it are brought in. ShapeError for a step below 1.
Variable slice(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t end,
               std::int64_t step = 1);
Variable select(const Variable& x, std::int64_t dim, std::int64_t index);
Variable expand(const Variable& x, const Shape& shape);
Variable unsqueeze(const Variable& x, std::int64_t dim);
Variable squeeze(const Variable& x, std::int64_t dim);

// Copies.
Variable cat(const std::vector<Variable>& parts, std::int64_t dim = 0);
Variable stack(const std::vector<Variable>& parts, std::int64_t dim = 0);
/// Pieces of `length` along `dim`, the last one shorter if need be (views); at least one.
/// ShapeError for more than 2^24.
std::vector<Variable> split(const Variable& x, std::int64_t length, std::int64_t dim = 0);
/// Slices at `index` (I64 or I32 [n]) along `dim`; an index may occur several times.
Variable index_select(const Variable& x, std::int64_t dim, const Tensor& index);
/// As torch.gather and torch.scatter_add, index I64 or I32.
Variable gather(const Variable& x, std::int64_t dim, const Tensor& index);
Variable scatter_add(const Variable& x, std::int64_t dim, const Tensor& index,
                     const Variable& source);

}  // namespace gladius
