// Matrix products with weights that are stored in 16 bits and multiplied as float.
//
// Bound: for few rows of x the bytes of w, 2*n*k, read once at the memory's rate; for many rows
// 2*m*n*k operations at the processor's multiply-add rate.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// y = x * w^T for x [m, k], w [n, k] and y [m, n], contiguous, for W = bfloat16 and float16. Every
/// weight is converted to float exactly, products and sums are float.
///
/// Runs on all threads outside of a parallel_for, on the calling one inside; the result does not
/// depend on their number.
template <class W>
void gemm_half_weights(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const W* w,
                       float* y);

}  // namespace gladius::kernels
