// General matrix products. The only kernels that call BLAS.
//
// Bound: 2*m*n*k operations at the processor's multiply-add rate; for few rows or one column, the
// bytes of the larger operand, read once, at the memory's rate.
#pragma once

#include <cstdint>

#include "gladius/tensor/kernels/gemm_options.h"

namespace gladius::kernels {

/// C = alpha * op(A) * op(B) + beta * C, row-major, for A and C of T = float or double and B of
/// W = T, or of W = bfloat16 or float16 with T = float: these become float exactly, products and
/// sums are float, and alpha must be 1 and beta 0 or 1.
///
/// op(A) is [m, k], op(B) is [k, n], C is [m, n]. `lda`, `ldb`, `ldc` are the elements between
/// neighbouring rows of A, B and C as they lie in memory. With k = 0 or alpha = 0, A and B are not
/// read.
///
/// Runs on all threads outside of a parallel_for, on the calling one inside. For the same sizes,
/// strides and thread count the result is the same to the bit; with W other than double, for any
/// thread count unless BLAS computes it (see gemm.cpp). Throws ShapeError for a negative size, a
/// row longer than its stride, one that BLAS's 32-bit integers cannot hold, or a scaled product of
/// 16-bit numbers.
template <class T, class W = T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const W* b,
          std::int64_t ldb, T* c, std::int64_t ldc, const GemmOptions& options = {});

}  // namespace gladius::kernels
