// Transposed copies of matrices. Private to the kernels and the tensors' operations.
//
// Bound: the bytes of both matrices at the rate of the memory that holds them.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// y = x^T for x [rows, columns] and y [columns, rows], rows `ldx` and `ldy` elements apart, on the
/// calling thread. Copies float and double, and converts bfloat16 and float16 to float exactly.
template <class From, class To>
void transpose(std::int64_t rows, std::int64_t columns, const From* x, std::int64_t ldx, To* y,
               std::int64_t ldy);

}  // namespace gladius::kernels
