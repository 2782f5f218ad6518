#include "gladius/tensor/kernels/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/half.h"
#include "gladius/tensor/parallel.h"
#include "support/simd_targets.h"

namespace gladius::kernels {
namespace {

// A product with random contents; rows are padded, and what lies between rows must stay untouched.
template <class T, class W>
struct Product {
  bool trans_a, trans_b;
  std::int64_t m, n, k, lda, ldb, ldc;
  T alpha, beta;
  std::vector<T> a, c;
  std::vector<W> b;

  Product(std::mt19937_64& random, std::int64_t m_, std::int64_t n_, std::int64_t k_)
      : m(m_), n(n_), k(k_) {
    const auto padding = [&] { return static_cast<std::int64_t>(random() % 3) * 5; };
    const auto coefficient = [&] { return static_cast<T>(random() % 4) / 2; };
    trans_a = random() % 2 != 0;
    trans_b = random() % 2 != 0;
    alpha = coefficient() - T{0.5};
    beta = coefficient();
    if (!std::is_same_v<T, W> ||
        random() % 2 == 0) {  // linear layers and their gradients: paths of their own if short
      alpha = 1, beta = static_cast<T>(random() % 2);
      if (trans_a && trans_b) trans_a = false;
    }
    lda = (trans_a ? m : k) + padding();
    ldb = (trans_b ? k : n) + padding();
    ldc = n + padding();
    a = normal(random, (trans_a ? k : m) * lda);
    // Small ones are subnormal in float16.
    for (const T value : normal(random, (trans_b ? n : k) * ldb))
      b.push_back(static_cast<W>(value * (b.size() % 3 == 0 ? T{1e-5f} : T{1})));
    c = normal(random, m * ldc);
  }

  static std::vector<T> normal(std::mt19937_64& random, std::int64_t size) {
    std::normal_distribution<T> distribution;
    std::vector<T> values(static_cast<std::size_t>(size));
    for (T& value : values) value = distribution(random);
    return values;
  }

  std::vector<T> computed() const {
    std::vector<T> result = c;
    gemm(m, n, k, a.data(), lda, b.data(), ldb, result.data(), ldc,
         {.transpose_a = trans_a, .transpose_b = trans_b, .alpha = alpha, .beta = beta});
    return result;
  }

  void expect_right(const std::vector<T>& result) const {
    const double tolerance = 4 * std::numeric_limits<T>::epsilon();
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < ldc; ++j) {
        const auto at = static_cast<std::size_t>(i * ldc + j);
        double expected = c[at];
        double magnitude = 0;
        if (j < n) {
          double sum = 0;
          for (std::int64_t l = 0; l < k; ++l) {
            const double term = static_cast<double>(a[trans_a ? l * lda + i : i * lda + l]) *
                                static_cast<T>(b[trans_b ? j * ldb + l : l * ldb + j]);
            sum += term;
            magnitude += std::abs(term);
          }
          magnitude = std::abs(alpha) * magnitude + std::abs(beta * expected);
          expected = alpha * sum + beta * expected;
        }
        ASSERT_NEAR(result[at], expected, tolerance * std::sqrt(k + 1.0) * magnitude)
            << "row " << i << ", column " << j;
      }
    }
  }
};

template <class Operands>
class Gemm : public ::testing::Test {
 protected:
  ~Gemm() override { set_num_threads(before_); }
  int before_ = num_threads();
};
template <class A, class B>
struct Operands {
  using T = A;
  using W = B;
};
using Types = ::testing::Types<Operands<float, float>, Operands<double, double>,
                               Operands<float, bfloat16>, Operands<float, float16>>;
TYPED_TEST_SUITE(Gemm, Types);
template <class Operands>
using ProductOf = Product<typename Operands::T, typename Operands::W>;

TYPED_TEST(Gemm, AgreesWithTheDefinitionOverRandomShapesAndStrides) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int run = 0; run < 300; ++run) {
    const auto size = [&] { return static_cast<std::int64_t>(random() % (run % 3 == 0 ? 4 : 80)); };
    const ProductOf<TypeParam> product(random, size(), size(), size());
    SCOPED_TRACE(::testing::Message()
                 << product.m << " x " << product.n << " x " << product.k << ", trans_a "
                 << product.trans_a << ", trans_b " << product.trans_b << ", alpha "
                 << product.alpha << ", beta " << product.beta);
    ASSERT_NO_FATAL_FAILURE(product.expect_right(product.computed()));
  }
}

TYPED_TEST(Gemm, BetaZeroDoesNotReadC) {
  using T = typename TypeParam::T;
  using W = typename TypeParam::W;
  constexpr auto nan = std::numeric_limits<T>::quiet_NaN();
  for (const std::int64_t m : {1, 2, 5, 40}) {
    for (const std::int64_t n : {1, 3, 40}) {
      for (const std::int64_t k : {0, 1, 7, 300}) {
        for (const T alpha : {0, 1}) {
          const std::vector<T> ones(static_cast<std::size_t>(m * k), 1);
          const std::vector<W> others(static_cast<std::size_t>(n * k), W(1));
          std::vector<T> c(static_cast<std::size_t>(m * n), nan);
          gemm(m, n, k, ones.data(), k, others.data(), k, c.data(), n,
               {.transpose_b = true, .alpha = alpha});
          EXPECT_THAT(c, ::testing::Each(alpha * static_cast<T>(k)));
        }
      }
    }
  }
}

TYPED_TEST(Gemm, IsRightOnEverySimdTarget) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  testing::for_each_simd_target([&] {
    for (const std::int64_t rows : {1, 2, 5, 40}) {
      for (const std::int64_t size : {1, 3, 4, 7, 63, 130}) {
        const ProductOf<TypeParam> product(random, rows, size + 1, size);
        SCOPED_TRACE(::testing::Message() << rows << " x " << size + 1 << " x " << size);
        ASSERT_NO_FATAL_FAILURE(product.expect_right(product.computed()));
      }
    }
  });
}

TYPED_TEST(Gemm, IsRightForEveryThreadCountAndTheSameOnEveryRun) {
  std::mt19937_64 random(1);
  const ProductOf<TypeParam> product(random, 200, 190, 210);
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const std::vector<typename TypeParam::T> first = product.computed();
    ASSERT_NO_FATAL_FAILURE(product.expect_right(first));
    for (int run = 0; run < 3; ++run) EXPECT_EQ(product.computed(), first);
  }
}

TYPED_TEST(Gemm, IsSerialAndRightWithinParallelFor) {
  std::mt19937_64 random(2);
  const ProductOf<TypeParam> product(random, 200, 190, 210);
  set_num_threads(1);
  const std::vector<typename TypeParam::T> serial = product.computed();
  set_num_threads(4);
  std::vector<std::vector<typename TypeParam::T>> results(16);
  parallel_for(16, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      results[static_cast<std::size_t>(i)] = product.computed();
  });
  EXPECT_THAT(results, ::testing::Each(serial));
}

TEST(GemmErrors, NameTheSizeThatDoesNotFit) {
  const auto message = [](std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t lda) {
    try {
      gemm<float, float>(m, n, k, nullptr, lda, nullptr, n, nullptr, n);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message(-1, 2, 3, 3), "gemm: m = -1 is not within 0 .. 2147483647");
  EXPECT_EQ(message(1, 2, std::int64_t{1} << 31, std::int64_t{1} << 31),
            "gemm: k = 2147483648 is not within 0 .. 2147483647");
  EXPECT_EQ(message(2, 2, 3, 2), "gemm: lda = 2 is less than a row of 3 elements");
}

TEST(GemmErrors, SixteenBitsAreNotScaled) {
  const std::vector<bfloat16> b(4, bfloat16(1));
  const std::vector<float> a(4, 1);
  std::vector<float> c(4);
  EXPECT_THROW(gemm(2, 2, 2, a.data(), 2, b.data(), 2, c.data(), 2, {.alpha = 2}), ShapeError);
}

}  // namespace
}  // namespace gladius::kernels
