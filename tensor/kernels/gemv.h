// Products of a matrix with one vector or a few, as dot products. Private to the gemm kernels.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// For at most so many rows of x dot products are faster than gemm_packed, by measurement with
/// weights in float and in 16 bits.
inline constexpr std::int64_t kGemvRows = 5;

/// y[i, j] = x[i] . w[j] for x [m, k], w [n, k] and y [m, n], rows `x_stride`, `w_stride`,
/// `y_stride` elements apart, for W = float, bfloat16 and float16. Serial. Reads w once from
/// memory, so the bound for very few rows is the bytes of w at the memory's rate; made for an x
/// that stays in the cache.
template <class W>
void gemv(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, std::int64_t x_stride,
          const W* w, std::int64_t w_stride, float* y, std::int64_t y_stride);

/// The same on all threads (on the calling one within a parallel_for); the result does not depend
/// on their number.
template <class W>
void parallel_gemv(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                   std::int64_t x_stride, const W* w, std::int64_t w_stride, float* y,
                   std::int64_t y_stride);

}  // namespace gladius::kernels
