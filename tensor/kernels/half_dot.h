// The SIMD half of products with 16-bit weights. Private to gemm_half_weights.cpp.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// y[i * y_stride + j] = x[i] . w[j] for x [m, k] and w [n, k], for W = bfloat16 and float16. Reads
/// w once from memory; made for few rows of x, which stay in the first-level cache.
template <class W>
void half_dot(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const W* w, float* y,
              std::int64_t y_stride);

/// Converts n elements to float.
template <class W>
void widen(std::int64_t n, const W* from, float* to);

}  // namespace gladius::kernels
