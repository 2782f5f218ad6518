// General matrix products. The only kernels that call BLAS.
//
// Bound: 2*m*n*k operations at the processor's multiply-add rate; for one row or column (m or n =
// 1), the bytes of the matrix, read once, at the memory's rate.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// C = alpha * op(A) * op(B) + beta * C, row-major, for T = float and double.
///
/// op(A) is [m, k]: A itself, or with trans_a the transpose of A [k, m]; op(B) is [k, n] likewise;
/// C is [m, n]. `lda`, `ldb`, `ldc` are the elements between neighbouring rows of A, B and C as
/// stored. With beta = 0, C is written without being read; with k = 0 or alpha = 0, A and B are not
/// read. With `to_memory` a large C of floats is written with streaming stores: for one that is
/// not read soon, at half the traffic, as its old content is not fetched.
///
/// Runs on all threads outside of a parallel_for, on the calling one inside. For the same sizes,
/// strides and thread count the result is the same to the bit. Throws ShapeError for a negative
/// size, a row longer than its stride, or one that BLAS's 32-bit integers cannot hold.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
          const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
          std::int64_t ldc, bool to_memory = false);

}  // namespace gladius::kernels
