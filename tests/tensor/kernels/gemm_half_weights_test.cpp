#include "gladius/tensor/kernels/gemm_half_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gladius/tensor/half.h"
#include "gladius/tensor/parallel.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

template <class W>
struct HalfProduct {
  std::int64_t m, n, k;
  std::vector<float> x;
  std::vector<W> w;

  HalfProduct(std::mt19937_64& random, std::int64_t m_, std::int64_t n_, std::int64_t k_)
      : m(m_), n(n_), k(k_) {
    std::normal_distribution<float> normal;
    x.resize(static_cast<std::size_t>(m * k));
    for (float& value : x) value = normal(random);
    w.reserve(static_cast<std::size_t>(n * k));
    // Small ones are subnormal in float16.
    for (std::int64_t i = 0; i < n * k; ++i)
      w.push_back(W(normal(random) * (i % 3 ? 1.0f : 1e-5f)));
  }

  std::vector<float> computed() const {
    std::vector<float> y(static_cast<std::size_t>(m * n), std::numeric_limits<float>::quiet_NaN());
    gemm_half_weights(m, n, k, x.data(), w.data(), y.data());
    return y;
  }

  void expect_right(const std::vector<float>& y) const {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0, magnitude = 0;
        for (std::int64_t l = 0; l < k; ++l) {
          const double term = static_cast<double>(x[static_cast<std::size_t>(i * k + l)]) *
                              static_cast<float>(w[static_cast<std::size_t>(j * k + l)]);
          sum += term;
          magnitude += std::abs(term);
        }
        ASSERT_NEAR(y[static_cast<std::size_t>(i * n + j)], sum, 1e-6 * magnitude)
            << "row " << i << ", column " << j;
      }
    }
  }
};

template <class W>
class GemmHalfWeights : public ::testing::Test {
 protected:
  ~GemmHalfWeights() override { set_num_threads(before_); }
  int before_ = num_threads();
};
using Types = ::testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(GemmHalfWeights, Types);

TYPED_TEST(GemmHalfWeights, AgreesWithTheDefinitionOverRandomSizes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int run = 0; run < 60; ++run) {
    set_num_threads(1 + run % 3);
    const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
    const HalfProduct<TypeParam> product(random, below(run % 2 ? 9 : 40), below(run % 4 ? 70 : 700),
                                         below(130));
    SCOPED_TRACE(::testing::Message() << product.m << " x " << product.n << " x " << product.k);
    ASSERT_NO_FATAL_FAILURE(product.expect_right(product.computed()));
  }
}

TYPED_TEST(GemmHalfWeights, AgreesWithTheDefinitionOnEverySimdTarget) {
  testing::for_each_simd_target([] {
    std::mt19937_64 random(2);
    for (const std::int64_t rows : {1, 2, 5, 40}) {
      for (const std::int64_t size : {1, 3, 4, 7, 63, 130}) {
        const HalfProduct<TypeParam> product(random, rows, size + 1, size);
        SCOPED_TRACE(::testing::Message() << rows << " x " << size + 1 << " x " << size);
        ASSERT_NO_FATAL_FAILURE(product.expect_right(product.computed()));
      }
    }
  });
}

TYPED_TEST(GemmHalfWeights, GivesTheSameBitsOnEveryRunAndWithinParallelFor) {
  std::mt19937_64 random(1);
  for (const std::int64_t rows : {3, 30}) {
    const HalfProduct<TypeParam> product(random, rows, 600, 300);
    set_num_threads(2);
    const std::vector<float> first = product.computed();
    ASSERT_NO_FATAL_FAILURE(product.expect_right(first));
    EXPECT_EQ(product.computed(), first);
    std::vector<std::vector<float>> results(4);
    parallel_for(4, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        results[static_cast<std::size_t>(i)] = product.computed();
    });
    EXPECT_THAT(results, ::testing::Each(first));
  }
}

}  // namespace
}  // namespace gladius::kernels
