// Large products, whose operands are copied in blocks into the caches. Private to the gemm kernels.
//
// Bound: 2*m*n*k operations at the processor's multiply-add rate. Blocks are chosen so that the
// inner loop (gemm_tile-inl.h) takes B from the first-level cache and A and C, both without gaps
// between their rows, from the second: with C where it lies, rows a power of two apart would drive
// each other out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gladius/tensor/dtype.h"
#include "gladius/tensor/kernels/gemm_options.h"

namespace gladius::kernels {

/// C = op(A) * op(B), or C += op(A) * op(B), as gemm() with alpha = 1, beta = 0 or 1 and k > 0. B
/// is float, or bfloat16 or float16, which become float exactly. Streaming stores write C where its
/// rows are whole cache lines.
///
/// Runs on all threads outside of a parallel_for, on the calling one inside. The order of the sums
/// depends on k alone, so the result does not depend on the threads.
template <class W>
void gemm_packed(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                 const W* b, std::int64_t ldb, float* c, std::int64_t ldc,
                 const GemmOptions& options);

/// C [m, n] = A [m, k] * B^T for the rows of B [n, k] of quantised blocks, `b_stride` bytes apart,
/// with the bits of gemm_packed() of their numbers, but for the order of bf16's sums. B is unpacked
/// a few rows at a time, into the second-level cache. With k > 0.
void gemm_packed_blocks(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                        std::int64_t lda, const std::byte* b, std::int64_t b_stride, float* c,
                        std::int64_t ldc, Precision precision);

}  // namespace gladius::kernels
