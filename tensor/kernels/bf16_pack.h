// Matrices as the pairs of bfloat16 numbers that products take. Private to the kernels.
#pragma once

#include <cstdint>

#include "gladius/tensor/kernels/bf16_pair.h"

namespace gladius::kernels {

/// y [rows, columns / 2] = pairs of neighbouring columns of x [rows, columns]. Here and below, rows
/// are `ldx` and `ldy` apart, and what an odd size lacks is zero.
void pack_along_rows(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                     Bf16Pair* y, std::int64_t ldy);

/// y [rows / 2, columns] = pairs of neighbouring rows of x.
void pack_along_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                        Bf16Pair* y, std::int64_t ldy);

/// y [columns, rows / 2] = pairs of neighbouring rows of x.
void pack_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                  Bf16Pair* y, std::int64_t ldy);

/// y [columns / 2, rows] = pairs of neighbouring columns of x.
void pack_transposed(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                     Bf16Pair* y, std::int64_t ldy);

}  // namespace gladius::kernels
