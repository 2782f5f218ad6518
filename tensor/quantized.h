// Between numbers and the quantised types of dtype.h.
#pragma once

#include "gladius/tensor/tensor.h"

namespace gladius {

/// The F32 numbers of a quantised tensor, to the bit those of the Python package `gguf`.
Tensor dequantize(const Tensor& blocks);
/// Floating-point numbers as Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0, to the bit as the Python package
/// `gguf` does it, or as Q4_K or Q6_K. DtypeError for another type, ShapeError for rows that are
/// not whole blocks, FormatError for a block that has a NaN or whose scale F16 cannot hold.
Tensor quantize(const Tensor& numbers, Dtype dtype);
/// Whether quantize() makes blocks of this type.
bool can_quantize(Dtype dtype);
/// Copies blocks between tensors of one quantised type and shape. Private to Tensor::copy_.
void copy_blocks(const Tensor& from, const Tensor& to);

}  // namespace gladius
