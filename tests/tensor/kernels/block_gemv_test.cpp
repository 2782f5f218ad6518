#define HWY_WANT_AVX3_DL  // as the kernel
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/quantized.h"
#include "support/blocks.h"
#include "support/random.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

using gladius::testing::for_each_simd_target;
using gladius::testing::random_blocks;
using gladius::testing::random_int;
using gladius::testing::Rng;

constexpr Dtype kBlockTypes[] = {Dtype::Q4_0, Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1, Dtype::Q8_0,
                                 Dtype::Q2_K, Dtype::Q3_K, Dtype::Q4_K, Dtype::Q5_K, Dtype::Q6_K};

// Random operands of every type, m rows of x that `fill` writes.
struct Operands {
  template <class Fill>
  Operands(Rng& rng, Dtype type, Fill fill)
      : dtype(type),
        m(random_int(rng, 1, 6)),
        n(random_int(rng, 1, 20)),
        k(random_int(rng, 1, 4) * block_elements(type)),
        w(random_blocks(rng, {n, k}, type)),
        numbers(dequantize(w).to_vector<float>()),
        x(static_cast<std::size_t>(m * k)) {
    fill(x);
  }

  std::vector<float> products() const {
    std::vector<float> y(static_cast<std::size_t>(m * n));
    block_gemv(dtype, m, n, k, x.data(), k, w.raw_data(), static_cast<std::int64_t>(w.nbytes()) / n,
               y.data(), n);
    return y;
  }
  // The sum of f(x, weight) over the terms of y[i, j].
  template <class F>
  double over_terms(std::int64_t i, std::int64_t j, F f) const {
    double sum = 0;
    for (std::int64_t at = 0; at < k; ++at) sum += f(i * k + at, j * k + at);
    return sum;
  }
  double exact(std::int64_t i, std::int64_t j) const {
    return over_terms(i, j, [&](std::int64_t a, std::int64_t b) {
      return double{x[static_cast<std::size_t>(a)]} * numbers[static_cast<std::size_t>(b)];
    });
  }
  // What the sum's own terms make of a relative error in each.
  double size(std::int64_t i, std::int64_t j) const {
    return over_terms(i, j, [&](std::int64_t a, std::int64_t b) {
      return std::abs(double{x[static_cast<std::size_t>(a)]} *
                      numbers[static_cast<std::size_t>(b)]);
    });
  }

  Dtype dtype;
  std::int64_t m, n, k;
  Tensor w;
  std::vector<float> numbers, x;
};

// Whole numbers up to 32767, which each group of 16 has, are multiplied as they are.
TEST(BlockGemv, OfIntegersIsExact) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for_each_simd_target([&] {
    for (const Dtype dtype : kBlockTypes) {
      const Operands operands(rng, dtype, [&](std::vector<float>& x) {
        for (float& value : x) value = static_cast<float>(random_int(rng, -32767, 32767));
        for (std::size_t i = 0; i < x.size(); i += 16)
          x[i + rng() % 16] = rng() % 2 ? 32767 : -32767;
      });
      const auto y = operands.products();
      for (std::int64_t i = 0; i < operands.m; ++i) {
        for (std::int64_t j = 0; j < operands.n; ++j) {
          // The shifts of some types are apart from their scales, and larger than the sum.
          ASSERT_NEAR(y[static_cast<std::size_t>(i * operands.n + j)], operands.exact(i, j),
                      1e-6 * operands.size(i, j) + 0.5)
              << dtype_name(dtype) << " at " << i << ", " << j << " of " << operands.k;
        }
      }
    }
  });
}

// Others have an error of at most 2^-16 of the largest of their group.
TEST(BlockGemv, ErrorIsThatOf16Bits) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::normal_distribution<float> normal;
  for_each_simd_target([&] {
    for (const Dtype dtype : kBlockTypes) {
      const Operands operands(rng, dtype, [&](std::vector<float>& x) {
        for (float& value : x) value = normal(rng);
      });
      const auto y = operands.products();
      for (std::int64_t i = 0; i < operands.m; ++i) {
        for (std::int64_t j = 0; j < operands.n; ++j) {
          const double bound = operands.over_terms(i, j, [&](std::int64_t a, std::int64_t b) {
            const auto group = operands.x.begin() + a / 32 * 32;
            float most = 0;
            for (auto at = group; at < group + 32; ++at) most = std::max(most, std::abs(*at));
            return std::ldexp(double{most}, -16) *
                   std::abs(operands.numbers[static_cast<std::size_t>(b)]);
          });
          ASSERT_NEAR(y[static_cast<std::size_t>(i * operands.n + j)], operands.exact(i, j),
                      bound + 1e-6 * (1 + operands.size(i, j)))
              << dtype_name(dtype);
        }
      }
    }
  });
}

TEST(BlockGemv, WhatIsNotFiniteStaysSo) {
  Rng rng(1);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const Dtype dtype : kBlockTypes) {
      const Operands operands(rng, dtype, [&](std::vector<float>& x) {
        std::ranges::fill(x, 1.0f);
        x[static_cast<std::size_t>(random_int(rng, 0, std::ssize(x) - 1))] = bad;
      });
      const auto y = operands.products();
      const auto row =
          static_cast<std::int64_t>(
              std::ranges::find_if(operands.x, [](float v) { return !std::isfinite(v); }) -
              operands.x.begin()) /
          operands.k;
      for (std::int64_t at = 0; at < std::ssize(y); ++at) {
        EXPECT_EQ(std::isfinite(y[static_cast<std::size_t>(at)]), at / operands.n != row)
            << dtype_name(dtype);
      }
    }
  }
}

TEST(BlockGemv, ZerosAndTheSmallestAndLargestNumbers) {
  Rng rng(2);
  for (const float size : {0.0f, 1e-44f, 1e-36f, 1e34f}) {
    for (const Dtype dtype : kBlockTypes) {
      const Operands operands(rng, dtype,
                              [&](std::vector<float>& x) { std::ranges::fill(x, size); });
      const auto y = operands.products();
      for (std::int64_t j = 0; j < operands.n; ++j) {
        EXPECT_NEAR(y[static_cast<std::size_t>(j)], operands.exact(0, j),
                    1e-4 * operands.size(0, j) + 1e-30)
            << dtype_name(dtype) << " " << size;
      }
    }
  }
}

}  // namespace
}  // namespace gladius::kernels
