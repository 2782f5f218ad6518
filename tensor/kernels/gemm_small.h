// Products of blocks that lie in the cache. Private to the kernels.
//
// Bound: 2*m*n*k operations at the processor's multiply-add rate. BLAS reaches that for large
// matrices, by copying them into panels first; for a block the copy costs a large part of the time.
#pragma once

#include <cstdint>

#include "gladius/tensor/kernels/bf16_pair.h"

namespace gladius::kernels {

/// C = A * B, or C += A * B with `accumulate`, on the calling thread, of elements E = float, double
/// or Bf16Pair; `k` and the strides of A and B count elements.
///
/// A is [m, k] with any strides: its element (i, p) is a[i * a_row + p * a_column], so a transposed
/// one costs no more. The rows of B [k, n] and of C [m, n] are contiguous, `ldb` and `ldc` apart.
/// Fastest if n is a multiple of 64. The order of the sums depends on k alone.
template <class E>
void gemm_small(std::int64_t m, std::int64_t n, std::int64_t k, const E* a, std::int64_t a_row,
                std::int64_t a_column, const E* b, std::int64_t ldb, SumOf<E>* c, std::int64_t ldc,
                bool accumulate);

}  // namespace gladius::kernels
