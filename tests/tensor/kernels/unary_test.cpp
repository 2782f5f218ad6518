#include "gladius/tensor/kernels/unary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numbers>
#include <string>

#include "support/arrays.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

template <class T>
struct Function {
  const char* name;
  void (*kernel)(const T*, T*, std::int64_t);
  long double (*reference)(long double);
};

long double sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

template <class T>
std::vector<Function<T>> functions() {
  using R = long double;
  return {
      {"exp", kernels::exp<T>, [](R x) { return std::exp(x); }},
      {"log", kernels::log<T>, [](R x) { return std::log(x); }},
      {"tanh", kernels::tanh<T>, [](R x) { return std::tanh(x); }},
      {"sigmoid", kernels::sigmoid<T>, [](R x) { return sigmoid(x); }},
      {"silu", kernels::silu<T>, [](R x) { return x * sigmoid(x); }},
      {"gelu", kernels::gelu<T>,
       [](R x) { return x * std::erfc(-x / std::numbers::sqrt2_v<R>) / 2; }},
      {"sqrt", kernels::sqrt<T>, [](R x) { return std::sqrt(x); }},
      {"rsqrt", kernels::rsqrt<T>, [](R x) { return 1 / std::sqrt(x); }},
  };
}

// Each element to a few units in the last place, or of the smallest normal number.
template <class T>
void expect_few_ulps(const OffsetArray<T>& x, const OffsetArray<T>& y, const Function<T>& f) {
  using Limits = std::numeric_limits<T>;
  SCOPED_TRACE(f.name);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto expected = static_cast<T>(f.reference(x[i]));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(y[i])) << "at " << x[i] << ": " << y[i];
    } else if (std::isinf(expected)) {
      EXPECT_EQ(y[i], expected) << "at " << x[i];
    } else {
      // The rounding of an argument z of erfc grows by 2 z^2.
      const T roundings =
          f.name == std::string("gelu") && x[i] < 0 ? 8 + std::min(x[i] * x[i], T{1000}) : 8;
      EXPECT_LE(std::abs(y[i] - expected),
                roundings * Limits::epsilon() * std::abs(expected) + Limits::min())
          << "at " << x[i] << ": " << y[i] << ", expected " << expected;
    }
  }
}

template <class T>
class Unary : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Unary, Types);

TYPED_TEST(Unary, MatchesTheReferenceAtEveryScale) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t n : {1, 2, 7, 16, 33, 1001}) {
      SCOPED_TRACE(n);
      std::mt19937_64 random(n);
      for (const double scale : {1e-6, 0.1, 1.0, 6.0}) {
        const auto x = random_array<T>(random, n, scale);
        for (const auto& f : functions<T>()) {
          OffsetArray<T> y(n), in_place(x);
          f.kernel(x.data(), y.data(), n);
          expect_few_ulps(x, y, f);
          f.kernel(in_place.data(), in_place.data(), n);
          for (std::size_t i = 0; i < n; ++i) {
            EXPECT_TRUE(in_place[i] == y[i] || std::isnan(y[i])) << f.name;
          }
        }
      }
    }
  });
}

TYPED_TEST(Unary, LimitsAndNan) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  for_each_simd_target([] {
    const T overflow = std::log(Limits::max());
    const OffsetArray<T> x(std::vector<T>{0, T(-0.0), 1, Limits::infinity(), Limits::quiet_NaN(),
                                          -1, Limits::min(), Limits::max(), Limits::lowest(),
                                          T(1e4), T(-1e4), overflow * T{0.9999},
                                          overflow * T{1.001}, T(-50), T(50)});
    for (const auto& f : functions<T>()) {
      OffsetArray<T> y(x.size());
      f.kernel(x.data(), y.data(), x.size());
      expect_few_ulps(x, y, f);
    }
  });
}

}  // namespace
}  // namespace gladius
