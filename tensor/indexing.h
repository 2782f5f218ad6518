// Joining, picking and scattering of elements. No gradients (see autograd/ops/indexing.h).
#pragma once

#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius {

/// The tensors one after another along `dim`; other sizes and types must be the same.
Tensor cat(const std::vector<Tensor>& tensors, std::int64_t dim = 0);
/// The tensors along a new dimension.
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t dim = 0);

/// Indices as I64, for an operation that takes I64 and I32: DtypeError for other types, naming the
/// operation and what the indices are in it ("ids").
Tensor as_indices(const char* op, const char* what, const Tensor& indices);

/// Slices `index` (I64 or I32 [n]) of x along `dim`. ShapeError for an index out of range.
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index);
/// target[..., index[i], ...] += source[..., i, ...] along `dim`, in the order of i.
void index_add_(Tensor& target, std::int64_t dim, const Tensor& index, const Tensor& source);

/// As torch.gather: out[i][j] = x[i][index[i][j]] for dim 1; index (I64 or I32) has x's rank.
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index);
/// As torch's scatter_add_: target[i][index[i][j]] += source[i][j] for dim 1.
void scatter_add_(Tensor& target, std::int64_t dim, const Tensor& index, const Tensor& source);

/// x [..., R, C] with zeros above (tril) or below (triu) the given diagonal of each matrix.
Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
Tensor triu(const Tensor& x, std::int64_t diagonal = 0);

}  // namespace gladius
