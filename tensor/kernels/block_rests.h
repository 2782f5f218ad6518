// What integers of 16 bits leave of the blocks of x in which a number is far larger than the row's
// others. Such numbers are in all larger language models (Dettmers et al. 2022, arXiv:2208.07339;
// Sun et al. 2024, arXiv:2402.17762); later layers divide by them, so that what is lost beside them
// would be seen.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gladius/tensor/dtype.h"

namespace gladius::kernels {

/// Blocks of rows of x, as numbers of their own.
struct BlockRests {
  std::vector<std::int64_t> rows, blocks;  // where they are in x
  std::vector<float> x;                    // [count, elements]

  std::int64_t count() const { return static_cast<std::int64_t>(rows.size()); }
};

/// A row's blocks whose scale is this many times the row's median or more have a rest: their
/// integers' steps are then no larger than those of the others' by more than that.
inline constexpr float kOutlier = 8;

/// Adds those of row `row` of x, of `blocks` blocks of `elements` numbers, to `rests`: x less
/// scale(b) integer(b, i). None of a row with a scale that is not finite.
template <class Scale, class Integer>
void add_rests(std::int64_t row, const float* x, std::int64_t blocks, std::int64_t elements,
               const Scale& scale, const Integer& integer, BlockRests& rests) {
  thread_local std::vector<float> scales;
  scales.clear();
  for (std::int64_t b = 0; b < blocks; ++b) scales.push_back(scale(b));
  if (!std::ranges::all_of(scales, [](float s) { return std::isfinite(s); })) return;
  const auto median = scales.begin() + blocks / 2;
  std::ranges::nth_element(scales, median);
  if (blocks == 0 || *std::ranges::max_element(median, scales.end()) < kOutlier * *median) return;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const float step = scale(b);
    if (step == 0 || step < kOutlier * *median) continue;
    rests.rows.push_back(row), rests.blocks.push_back(b);
    for (std::int64_t i = 0; i < elements; ++i) {
      const auto whole = static_cast<float>(integer(b, i));
      rests.x.push_back(std::fma(-step, whole, x[b * elements + i]));  // exact but for one rounding
    }
  }
}

/// y[row, j] += rest . block of w[j] for the rests of some blocks of x, by the K types.
void add_k_rests(Dtype dtype, const BlockRests& rests, std::int64_t n, const std::byte* w,
                 std::int64_t w_stride, float* y, std::int64_t y_stride);

}  // namespace gladius::kernels
