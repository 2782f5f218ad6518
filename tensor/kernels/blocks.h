// Blocks of quantised numbers: GGUF's types, as ggml lays them out.
//
// clang-format off
// | type | elements | bytes: content |
// |---|---|---|
// | Q4_0 | 32 | 18: f16 d, 16 bytes whose low nibbles are q 0 to 15 and high ones 16 to 31; d (q - 8) |
// | Q4_1 | 32 | 20: f16 d, f16 m, nibbles; d q + m |
// | Q5_0 | 32 | 22: f16 d, u32 of fifth bits, nibbles; d (q - 16) |
// | Q5_1 | 32 | 24: f16 d, f16 m, u32 of fifth bits, nibbles; d q + m |
// | Q8_0 | 32 | 34: f16 d, 32 i8; d q |
// | Q2_K to Q6_K | 256 | 84, 110, 144, 176, 210: see block_readers-inl.h |
// clang-format on
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "gladius/tensor/dtype.h"

namespace gladius::kernels {

/// Whether a quantised type has blocks of 256 numbers with scales of their groups.
inline bool is_k_type(Dtype dtype) { return block_elements(dtype) == 256; }

/// y[i] of n elements, whole blocks of a quantised type. Serial. To the bit what the Python package
/// `gguf` computes: the products are exact in float.
/// Bound: the bytes written, at the rate of the cache that y is in.
void dequantize(Dtype dtype, const std::byte* blocks, float* y, std::int64_t n);

/// The whole blocks of n numbers, for Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 to the bit those of the
/// Python package `gguf`; also for Q4_K and Q6_K, which it does not make. Serial. False if a block
/// has a NaN or a scale that is infinite.
bool quantize(Dtype dtype, const float* x, std::byte* blocks, std::int64_t n);

/// y[i, j] = x[i] . w[j] for x [m, k] and the rows w [n, k] of blocks, `w_stride` bytes apart, for
/// few rows of x. x has 16 bits in it: each 32 numbers are integers times 1 / 32767 of the largest,
/// by the K types each 256 and 1 / 32639; an error of up to half of that is in each, but less in
/// those far larger than the row's others (what is left of them is multiplied too). A row with a
/// number that is not finite gives NaN. On all threads (on the calling one within a parallel_for);
/// a row's result depends neither on their number nor on the other rows. Bound: the bytes of w,
/// read once, at the memory's rate.
void block_gemv(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                std::int64_t y_stride);

/// How many rows of k weights are worth a thread of their own to block_gemv().
constexpr std::int64_t rows_worth_a_thread(std::int64_t k) {
  return (1 << 15) / std::max<std::int64_t>(k, 1) + 1;
}

/// block_gemv() of the K types, for it alone.
void block_gemv_k(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                  std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                  std::int64_t y_stride);

/// The same for many rows of x and the K types. Each 256 numbers of x are integers times 1 / 32767
/// of the largest (1 / 16383 by Q6_K), and errors are as in block_gemv(). Bound: 2 m n k
/// operations at twice the rate of float's, that of 16-bit products.
void block_gemm(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                std::int64_t y_stride);

}  // namespace gladius::kernels
