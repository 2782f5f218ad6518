// Large products, whose operands are copied in blocks into the caches. Private to the gemm kernels.
//
// Bound: 2*m*n*k operations at the processor's multiply-add rate. Blocks are chosen so that the
// inner loop (gemm_tile-inl.h) takes B from the first-level cache and A and C, both without gaps
// between their rows, from the second: with C where it lies, rows a power of two apart would drive
// each other out.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// C = op(A) * op(B), or C += with `accumulate`, row-major, the operands as those of gemm(). B is
/// float, or bfloat16 or float16, which become float exactly. k > 0. With `to_memory` C is written
/// with streaming stores where its rows are whole cache lines.
///
/// Runs on all threads outside of a parallel_for, on the calling one inside. The order of the sums
/// depends on k alone, so the result does not depend on the threads.
template <class W>
void packed_gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                 const float* a, std::int64_t lda, const W* b, std::int64_t ldb, float* c,
                 std::int64_t ldc, bool accumulate, bool to_memory);

}  // namespace gladius::kernels
