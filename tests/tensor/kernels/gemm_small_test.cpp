#include "gladius/tensor/kernels/gemm_small.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "support/products.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

template <class T>
std::vector<T> normal(std::mt19937_64& random, std::int64_t size) {
  std::normal_distribution<T> distribution;
  std::vector<T> values(static_cast<std::size_t>(size));
  for (T& value : values) value = distribution(random);
  return values;
}

// One product of a random shape, strides and order of A; what lies between the rows of C must stay.
template <class T>
void expect_right(std::mt19937_64& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  const std::int64_t m = 1 + below(20), n = 1 + below(150),
                     k = below(3) == 0 ? below(3) : below(150);
  const bool transposed = below(2) == 0, accumulate = below(2) == 0;
  const std::int64_t lda = (transposed ? m : k) + below(4), ldb = n + below(4), ldc = n + below(4);
  const std::int64_t a_row = transposed ? 1 : lda, a_column = transposed ? lda : 1;
  SCOPED_TRACE(::testing::Message() << m << " x " << n << " x " << k << ", transposed "
                                    << transposed << ", accumulate " << accumulate);
  const auto a = normal<T>(random, (transposed ? k : m) * lda);
  const auto b = normal<T>(random, k * ldb);
  const auto before = normal<T>(random, m * ldc);
  auto c = before;
  gemm_small(m, n, k, a.data(), a_row, a_column, b.data(), ldb, c.data(), ldc, accumulate);
  testing::expect_product<T>(
      m, n, k,
      [&](std::int64_t i, std::int64_t p) {
        return a[static_cast<std::size_t>(i * a_row + p * a_column)];
      },
      [&](std::int64_t p, std::int64_t j) { return b[static_cast<std::size_t>(p * ldb + j)]; }, c,
      before, ldc, accumulate);
}

template <class T>
class GemmSmall : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GemmSmall, Types);

TYPED_TEST(GemmSmall, AgreesWithTheDefinitionOnEverySimdTarget) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  testing::for_each_simd_target([&] {
    for (int run = 0; run < 60; ++run) ASSERT_NO_FATAL_FAILURE(expect_right<TypeParam>(random));
  });
}

TYPED_TEST(GemmSmall, OverwritesWithoutReading) {
  constexpr auto nan = std::numeric_limits<TypeParam>::quiet_NaN();
  testing::for_each_simd_target([&] {
    for (const std::int64_t k : {0, 1, 65}) {
      const std::vector<TypeParam> ones(65 * 70, 1);
      std::vector<TypeParam> c(7 * 70, nan);
      gemm_small<TypeParam>(7, 70, k, ones.data(), 65, 1, ones.data(), 70, c.data(), 70, false);
      for (const TypeParam value : c) ASSERT_EQ(value, static_cast<TypeParam>(k));
    }
  });
}

}  // namespace
}  // namespace gladius::kernels
