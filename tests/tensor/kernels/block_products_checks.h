// What holds for every kernel that multiplies blocks by integers.
#pragma once

#include <array>
#include <cstring>
#include <limits>
#include <random>

#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/parallel.h"
#include "support/simd_targets.h"
#include "tensor/kernels/block_operands.h"

namespace gladius::testing {

struct BlockKernel {
  decltype(&kernels::block_gemv) multiply;
  std::int64_t most_rows;
  std::vector<Dtype> types;
  /// x's integers reach from -highest(type) to highest(type) in each group(type) numbers.
  std::int64_t (*group)(Dtype), (*highest)(Dtype);

  BlockSizes random_sizes(Rng& rng) const {
    return {random_int(rng, 1, most_rows), random_int(rng, 1, rng() % 16 ? 9 : 70),
            random_int(rng, 0, 10)};
  }
  // Close to what float64 makes of it, up to the rounding of x.
  void expect_close(const BlockOperands& operands, bool exact) const {
    const auto y = operands.products(multiply);
    for (std::int64_t i = 0; i < operands.m; ++i) {
      for (std::int64_t j = 0; j < operands.n; ++j) {
        const double steps = 2.0 * static_cast<double>(highest(operands.dtype));
        const double rounding =
            exact ? 0 : operands.error_of_groups(i, j, group(operands.dtype), steps);
        double most = 0;
        for (std::int64_t at = 0; at < operands.k; ++at) {
          most = std::max(
              most, std::abs(double{operands.x[static_cast<std::size_t>(i * operands.k + at)]}));
        }
        // The shifts of some types are apart from their scales, and larger than the sum.
        ASSERT_NEAR(y[static_cast<std::size_t>(i * operands.n + j)], operands.exact(i, j),
                    rounding + 1e-6 * operands.size(i, j) + 2e-5 * most)
            << dtype_name(operands.dtype) << " at " << i << ", " << j << " of [" << operands.m
            << ", " << operands.n << ", " << operands.k << "]";
      }
    }
  }
};

// Whole numbers up to the highest, which each group has, are multiplied as they are.
inline void expect_integers_exact(const BlockKernel& kernel) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for_each_simd_target([&] {
    for (const Dtype dtype : kernel.types) {
      const std::int64_t highest = kernel.highest(dtype), group = kernel.group(dtype);
      const auto operands =
          random_operands(rng, dtype, kernel.random_sizes(rng), [&](std::vector<float>& x) {
            for (float& value : x) value = static_cast<float>(random_int(rng, -highest, highest));
            for (auto at = x.begin(); at != x.end(); at += group) {
              at[random_int(rng, 0, group - 1)] =
                  static_cast<float>(rng() % 2 ? highest : -highest);
            }
          });
      ASSERT_NO_FATAL_FAILURE(kernel.expect_close(operands, true));
    }
  });
}

// Others have an error of half a step. With outliers, zeros and numbers of all sizes.
inline void expect_small_errors(const BlockKernel& kernel) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::normal_distribution<float> normal;
  for_each_simd_target([&] {
    for (const Dtype dtype : kernel.types) {
      for (int kind = 0; kind < 3; ++kind) {
        const auto operands =
            random_operands(rng, dtype, kernel.random_sizes(rng), [&](std::vector<float>& x) {
              for (float& value : x) {
                value = normal(rng);
                if (kind == 1 && rng() % 64 == 0) value *= 1e4f;
                if (kind == 2)
                  value = rng() % 2 ? 0.0f : std::ldexp(value, -static_cast<int>(rng() % 150));
              }
            });
        ASSERT_NO_FATAL_FAILURE(kernel.expect_close(operands, false));
      }
    }
  });
}

// Blocks of bytes at their ends by numbers at theirs: the sums are as large as they can be.
inline void expect_extremes_fit(const BlockKernel& kernel) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  constexpr std::array<int, 4> kEnds = {0, 0xff, 0x80, 0x7f};
  for_each_simd_target([&] {
    for (const Dtype dtype : kernel.types) {
      const BlockSizes sizes{std::min<std::int64_t>(kernel.most_rows, 4), 6, 3};
      Tensor w = random_blocks(rng, {sizes.n, sizes.blocks * block_elements(dtype)}, dtype);
      const std::size_t bytes = dtype_size(dtype), row = w.nbytes() / 6;
      const ScalePlace place = scale_place(dtype);
      for (std::size_t at = 0; at < w.nbytes(); ++at) {
        if (at % bytes - place.begin < 2 * place.count) continue;
        const std::size_t kind = at / row;  // rows of ones, of zeros, of either
        w.raw_data()[at] = static_cast<std::byte>(kind < 2 ? 0xff * kind : kEnds[rng() % 4]);
        // The lowest scales of Q6_K, of which the lowest numbers give the largest products.
        if (dtype == Dtype::Q6_K && at % bytes >= 192 && kind < 4)
          w.raw_data()[at] = std::byte{0x80};
      }
      BlockOperands operands(sizes, w);
      for (std::size_t at = 0; at < operands.x.size(); ++at) {
        const std::size_t k = static_cast<std::size_t>(operands.k), kind = at / k;
        operands.x[at] = kind == 0   ? 1.0f
                         : kind == 1 ? -1.0f
                         : kind == 2 ? std::copysign(1.0f, operands.numbers[2 * k + at % k])
                                     : std::copysign(1.0f, operands.numbers[5 * k + at % k]);
      }
      ASSERT_NO_FATAL_FAILURE(kernel.expect_close(operands, true));
    }
  });
}

// To the bit, whatever the other rows and the number of threads are.
inline void expect_rows_alone(const BlockKernel& kernel) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::normal_distribution<float> normal;
  const int threads = num_threads();
  for_each_simd_target([&] {
    for (const Dtype dtype : kernel.types) {
      const auto operands =
          random_operands(rng, dtype, kernel.random_sizes(rng), [&](std::vector<float>& x) {
            for (float& value : x) value = normal(rng);
          });
      const auto together = operands.products(kernel.multiply);
      set_num_threads(static_cast<int>(random_int(rng, 1, 4)));
      for (std::int64_t i = 0; i < operands.m; ++i) {
        const auto row = together.begin() + i * operands.n;
        EXPECT_EQ(operands.products(kernel.multiply, i, 1),
                  std::vector<float>(row, row + operands.n))
            << dtype_name(dtype) << " row " << i << " of " << operands.m;
      }
      set_num_threads(threads);
    }
  });
}

inline void expect_not_finite_rows(const BlockKernel& kernel) {
  Rng rng(1);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const Dtype dtype : kernel.types) {
      BlockSizes sizes = kernel.random_sizes(rng);
      sizes.blocks += 1;
      auto operands = random_operands(rng, dtype, sizes,
                                      [](std::vector<float>& x) { std::ranges::fill(x, 1.0f); });
      const std::int64_t at = random_int(rng, 0, std::ssize(operands.x) - 1);
      operands.x[static_cast<std::size_t>(at)] = bad;
      const auto y = operands.products(kernel.multiply);
      for (std::int64_t i = 0; i < std::ssize(y); ++i) {
        EXPECT_EQ(std::isfinite(y[static_cast<std::size_t>(i)]), i / operands.n != at / operands.k)
            << dtype_name(dtype);
      }
    }
  }
}

inline void expect_all_sizes(const BlockKernel& kernel) {
  Rng rng(2);
  for (const float size : {0.0f, 1e-44f, 1e-36f, 1e34f}) {
    for (const Dtype dtype : kernel.types) {
      const auto operands =
          random_operands(rng, dtype, kernel.random_sizes(rng),
                          [&](std::vector<float>& x) { std::ranges::fill(x, size); });
      const auto y = operands.products(kernel.multiply);
      for (std::int64_t j = 0; j < operands.n; ++j) {
        EXPECT_NEAR(y[static_cast<std::size_t>(j)], operands.exact(0, j),
                    1e-4 * operands.size(0, j) + 1e-4 * double{size} + 1e-30)
            << dtype_name(dtype) << " " << size;
      }
    }
  }
}

}  // namespace gladius::testing
