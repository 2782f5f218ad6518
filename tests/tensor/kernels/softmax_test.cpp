#include "gladius/tensor/kernels/softmax.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/arrays.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class S>
S reference_logsumexp(const std::vector<S>& x) {
  S max = x[0], total = 0;
  for (const S& v : x) {
    if (std::real(v) > std::real(max)) max = v;
  }
  for (const S& v : x) total += std::exp(v - max);
  return max + std::log(total);
}

template <class T>
class Softmax : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Softmax, Types);

// Row r of an array of rows of n.
template <class T>
std::vector<double> row(const OffsetArray<T>& x, std::size_t r, std::size_t n) {
  const auto all = x.to();
  return {all.begin() + static_cast<std::ptrdiff_t>(r * n),
          all.begin() + static_cast<std::ptrdiff_t>((r + 1) * n)};
}

TYPED_TEST(Softmax, MatchesTheDefinition) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t n : {1, 2, 3, 7, 8, 15, 17, 33, 64, 100, 1025, 3001}) {
      SCOPED_TRACE(n);
      std::mt19937_64 random(n);
      constexpr std::size_t rows = 3;
      auto x = random_array<T>(random, rows * n, 5);
      if (n > 2) x[1] = static_cast<T>(-infinity);
      if (n > 2) x[n] = static_cast<T>(1e4);
      OffsetArray<T> soft(x.size()), log_soft(x.size()), lse(rows);
      kernels::softmax(x.data(), soft.data(), rows, n);
      kernels::log_softmax(x.data(), log_soft.data(), rows, n);
      kernels::logsumexp(x.data(), lse.data(), rows, n);
      for (std::size_t r = 0; r < rows; ++r) {
        const auto values = row(x, r, n);
        const double expected = reference_logsumexp(values);
        std::vector<double> expected_log, expected_soft;
        for (const double v : values) {
          expected_log.push_back(v - expected);
          expected_soft.push_back(std::exp(v - expected));
        }
        expect_close(row(log_soft, r, n), expected_log, kernel_tolerance<T>);
        expect_close(row(soft, r, n), expected_soft, kernel_tolerance<T>);
        EXPECT_NEAR(lse[r], expected, kernel_tolerance<T> * (1 + std::abs(expected)));
      }
      kernels::softmax(x.data(), x.data(), rows, n);
      EXPECT_EQ(x.to(), soft.to()) << "in place";
    }
  });
}

TYPED_TEST(Softmax, BackwardMatchesTheComplexStep) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t n : {1, 5, 16, 19, 37}) {
      SCOPED_TRACE(n);
      std::mt19937_64 random(n);
      const auto x = random_array<T>(random, n, 2);
      const auto dy = random_array<T>(random, n);
      OffsetArray<T> y(n), dx(n);
      const auto loss = [&](bool logarithm) {
        return [&, logarithm](const std::vector<Complex>& at) {
          const Complex lse = reference_logsumexp(at);
          Complex total = 0;
          for (std::size_t i = 0; i < n; ++i) {
            total += double(dy[i]) * (logarithm ? at[i] - lse : std::exp(at[i] - lse));
          }
          return total;
        };
      };
      kernels::softmax(x.data(), y.data(), 1, n);
      kernels::softmax_backward(y.data(), dy.data(), dx.data(), 1, n);
      expect_close(dx, complex_step_gradient(loss(false), x.to()), 3 * kernel_tolerance<T>);
      kernels::log_softmax(x.data(), y.data(), 1, n);
      kernels::log_softmax_backward(y.data(), dy.data(), dx.data(), 1, n);
      expect_close(dx, complex_step_gradient(loss(true), x.to()), 3 * kernel_tolerance<T>);
    }
  });
}

TYPED_TEST(Softmax, MaskedRowsAndNan) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t n : {3, 16, 21}) {
      SCOPED_TRACE(n);
      OffsetArray<T> masked(n, static_cast<T>(-infinity)), poisoned(n, T{1}), y(n), lse(1);
      const std::vector<double> all_nan(n, nan);
      poisoned[n / 2] = static_cast<T>(nan);
      for (const auto& x : {masked, poisoned}) {
        kernels::softmax(x.data(), y.data(), 1, n);
        expect_close(y, all_nan, 0);
        kernels::log_softmax(x.data(), y.data(), 1, n);
        expect_close(y, all_nan, 0);
      }
      kernels::logsumexp(masked.data(), lse.data(), 1, n);
      EXPECT_EQ(lse[0], -infinity);
      kernels::logsumexp(poisoned.data(), lse.data(), 1, n);
      EXPECT_TRUE(std::isnan(lse[0]));
    }
  });
}

}  // namespace
}  // namespace gladius
