// Matrix products of tensors. No gradients (see autograd/ops/matmul.h).
#pragma once

#include "gladius/tensor/tensor.h"

namespace gladius {

/// The matrix product as torch.matmul: [..., M, K] x [..., K, N] -> [..., M, N] with the leading
/// dimensions broadcast; a 1-D operand is a row (left) or a column (right) whose dimension
/// disappears. F32 or F64, both alike; any strides. ShapeError or DtypeError otherwise.
Tensor matmul(const Tensor& a, const Tensor& b);

/// What matmul_into does to its matrix.
enum class Write {
  kReplace,   // out = a b
  kToMemory,  // the same with streaming stores if it is large: for a result that is not read soon
  kAdd,       // out += a b
};

/// a b [M, K] x [K, N] into a given contiguous [M, N].
void matmul_into(Tensor& out, const Tensor& a, const Tensor& b, Write write);

/// x W^T for x [..., K] and a weight [N, K] -> [..., N]. The weight may be BF16 or F16 while x is
/// F32.
Tensor linear(const Tensor& x, const Tensor& weight);

}  // namespace gladius
