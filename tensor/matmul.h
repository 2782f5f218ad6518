// Matrix products of tensors. No gradients (see autograd/ops/matmul.h).
#pragma once

#include "gladius/tensor/tensor.h"

namespace gladius {

/// The matrix product as torch.matmul: [..., M, K] x [..., K, N] -> [..., M, N] with the leading
/// dimensions broadcast; a 1-D operand is a row (left) or a column (right) whose dimension
/// disappears. F32 or F64, both alike; any strides. ShapeError or DtypeError otherwise.
Tensor matmul(const Tensor& a, const Tensor& b);

struct MatmulOptions {
  /// Adds the product to what is there.
  bool accumulate = false;
  /// Writes a large result with streaming stores: for one that is not read soon.
  bool stream = false;
};

/// a b [M, K] x [K, N] into a given contiguous [M, N] of a's type. b may be BF16 or F16 where a is
/// F32.
void matmul_into(Tensor& out, const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

}  // namespace gladius
