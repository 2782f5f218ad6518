// Rows of blocks times a few rows of x, for the kernels that read each block once for all of these.
// Private to them; compiled once a target (see Highway's foreach_target.h), hence no #pragma once.
#if defined(GLADIUS_TENSOR_KERNELS_BLOCK_DOTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GLADIUS_TENSOR_KERNELS_BLOCK_DOTS_INL_H_
#undef GLADIUS_TENSOR_KERNELS_BLOCK_DOTS_INL_H_
#else
#define GLADIUS_TENSOR_KERNELS_BLOCK_DOTS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "gladius/tensor/kernels/block_readers-inl.h"
#include "gladius/tensor/kernels/block_rests.h"
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// Bytes that are read in the time that memory takes to answer.
constexpr std::int64_t kAhead = 4096;

// Asks for what is `ahead` bytes behind a block: the memory's own streams are too short.
template <class Reader>
HWY_INLINE void prefetch_behind(Bytes block, std::int64_t ahead) {
  for (int line = 0; line < Reader::kBytes; line += 64) fetch_ahead(block + ahead + line);
}

// A column of y, in its rows i and on, Count of them, from a row of w. Products<Count, Reader> sums
// up what it is given of the blocks.
template <template <int, class> class Products, int Count, class Reader, class Rows>
HWY_INLINE void dot_row(const Rows& x, std::int64_t i, Bytes row, std::int64_t ahead, float* y,
                        std::int64_t y_stride) {
  Products<Count, Reader> products(x, i);
  for (std::int64_t b = 0; b < x.blocks; ++b, row += Reader::kBytes) {
    prefetch_behind<Reader>(row, ahead);
    products.add_block(row);
  }
  for (int r = 0; r < Count; ++r) y[(i + r) * y_stride] = products.total(r);
}

// y = x . w for m rows of x and n of w.
template <template <int, class> class Products, class Reader, class Rows>
HWY_INLINE void dot_blocks(std::int64_t m, std::int64_t n, const Rows& x, const std::byte* w,
                           std::int64_t w_stride, float* y, std::int64_t y_stride) {
  const std::int64_t ahead = std::max(2 * w_stride, kAhead);
  for (std::int64_t j = 0; j < n; ++j, ++y) {
    const auto* row = reinterpret_cast<Bytes>(w + j * w_stride);
    std::int64_t i = 0;
    for (; i + 4 <= m; i += 4) dot_row<Products, 4, Reader>(x, i, row, ahead, y, y_stride);
    for (; i + 2 <= m; i += 2) dot_row<Products, 2, Reader>(x, i, row, ahead, y, y_stride);
    if (i < m) dot_row<Products, 1, Reader>(x, i, row, ahead, y, y_stride);
  }
}

// y += x . w for the rests of some blocks of x, each a row of `x`.
template <template <int, class> class Products, class Reader, class Rows>
HWY_INLINE void dot_rests(const BlockRests& rests, std::int64_t n, const Rows& x,
                          const std::byte* w, std::int64_t w_stride, float* y,
                          std::int64_t y_stride) {
  for (std::int64_t j = 0; j < n; ++j, ++y) {
    const auto* row = reinterpret_cast<Bytes>(w + j * w_stride);
    for (std::size_t i = 0; i < rests.rows.size(); ++i) {
      Products<1, Reader> products(x, static_cast<std::int64_t>(i));
      products.add_block(row + rests.blocks[i] * Reader::kBytes);
      y[rests.rows[i] * y_stride] += products.total(0);
    }
  }
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
