// What integers of 16 bits leave of the blocks of x in which a number is far larger than the row's
// others. Such numbers are in all larger language models (Dettmers et al. 2022, arXiv:2208.07339;
// Sun et al. 2024, arXiv:2402.17762); later layers divide by them, so that what is lost beside them
// would be seen.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
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

/// From which on a scale of a row is an outlier's; infinity where one is not finite. Changes their
/// order.
inline float least_outlier(std::vector<float>& scales) {
  const bool finite = std::ranges::all_of(scales, [](float scale) { return std::isfinite(scale); });
  if (scales.empty() || !finite) return std::numeric_limits<float>::infinity();
  const auto median = scales.begin() + std::ssize(scales) / 2;
  std::ranges::nth_element(scales, median);
  return kOutlier * *median;
}

/// Those of m rows of x, of `blocks` blocks of `elements` numbers: x less
/// scale(row, block) integer(row, block, element).
template <class Scale, class Integer>
BlockRests rests_of(std::int64_t m, const float* x, std::int64_t x_stride, std::int64_t blocks,
                    std::int64_t elements, const Scale& scale, const Integer& integer) {
  BlockRests rests;
  std::vector<float> scales(static_cast<std::size_t>(blocks));
  for (std::int64_t i = 0; i < m; ++i, x += x_stride) {
    for (std::int64_t b = 0; b < blocks; ++b) scales[static_cast<std::size_t>(b)] = scale(i, b);
    const float least = least_outlier(scales);
    for (std::int64_t b = 0; b < blocks; ++b) {
      const float step = scale(i, b);
      if (!(step > 0 && step >= least)) continue;
      rests.rows.push_back(i), rests.blocks.push_back(b);
      for (std::int64_t e = 0; e < elements; ++e) {
        const auto whole = static_cast<float>(integer(i, b, e));
        rests.x.push_back(std::fma(-step, whole, x[b * elements + e]));  // rounded once
      }
    }
  }
  return rests;
}

/// y[row, j] += rest . block of w[j] for the rests of some blocks of x, by the K types.
void add_k_rests(Dtype dtype, const BlockRests& rests, std::int64_t n, const std::byte* w,
                 std::int64_t w_stride, float* y, std::int64_t y_stride);

}  // namespace gladius::kernels
