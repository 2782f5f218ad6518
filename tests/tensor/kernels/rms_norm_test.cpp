#include "gladius/tensor/kernels/rms_norm.h"

#include <gtest/gtest.h>

#include "support/arrays.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

constexpr double eps = 1e-3;  // large enough to be seen

// sum(dy * rms_norm(x, weight)) over rows of C = weight.size().
template <class S>
S reference(const std::vector<S>& x, const std::vector<S>& weight, const std::vector<double>& dy,
            std::vector<S>* y = nullptr) {
  const std::size_t C = weight.size();
  S total = 0;
  for (std::size_t r = 0; r < x.size(); r += C) {
    S squares = 0;
    for (std::size_t c = 0; c < C; ++c) squares += x[r + c] * x[r + c];
    const S rms = std::sqrt(squares / static_cast<double>(C) + eps);
    for (std::size_t c = 0; c < C; ++c) {
      const S value = x[r + c] / rms * weight[c];
      if (y) y->push_back(value);
      total += dy[r + c] * value;
    }
  }
  return total;
}

template <class T>
class RmsNorm : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RmsNorm, Types);

TYPED_TEST(RmsNorm, ForwardAndBackwardMatchTheDefinition) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t C : {1, 3, 8, 17, 31, 64, 101}) {
      SCOPED_TRACE(C);
      std::mt19937_64 random(C);
      constexpr std::size_t rows = 3;
      const auto x = random_array<T>(random, rows * C, 0.5), weight = random_array<T>(random, C),
                 dy = random_array<T>(random, rows * C);
      OffsetArray<T> y(x.size()), dx(x.size()), inv_rms(rows), dweight(C, T{1});
      kernels::rms_norm(x.data(), weight.data(), y.data(), inv_rms.data(), rows, C, eps);
      std::vector<double> expected;
      reference(x.to(), weight.to(), dy.to(), &expected);
      expect_close(y, expected, kernel_tolerance<T>);
      EXPECT_NEAR(inv_rms[0] * x[0] * weight[0], expected[0], kernel_tolerance<T> * 10);

      kernels::rms_norm_backward(x.data(), weight.data(), inv_rms.data(), dy.data(), dx.data(),
                                 dweight.data(), rows, C);
      const auto w = weight.template to<Complex>(), at = x.template to<Complex>();
      expect_close(
          dx,
          complex_step_gradient([&](const auto& v) { return reference(v, w, dy.to()); }, x.to()),
          5 * kernel_tolerance<T>);
      auto expected_dweight = complex_step_gradient(
          [&](const auto& v) { return reference(at, v, dy.to()); }, weight.to());
      for (double& v : expected_dweight) v += 1;  // adds to what was there
      expect_close(dweight, expected_dweight, 5 * kernel_tolerance<T>);

      // Either alone gives the same; in place too.
      OffsetArray<T> only_dx(dy), only_dweight(C, T{1});
      kernels::rms_norm_backward<T>(x.data(), weight.data(), inv_rms.data(), only_dx.data(),
                                    only_dx.data(), nullptr, rows, C);
      kernels::rms_norm_backward<T>(x.data(), weight.data(), inv_rms.data(), dy.data(), nullptr,
                                    only_dweight.data(), rows, C);
      EXPECT_EQ(only_dx.to(), dx.to());
      EXPECT_EQ(only_dweight.to(), dweight.to());
    }
  });
}

TYPED_TEST(RmsNorm, NanStaysInItsRow) {
  using T = TypeParam;
  for_each_simd_target([] {
    constexpr std::size_t C = 19;
    OffsetArray<T> x(2 * C, T{1}), weight(C, T{1}), y(2 * C), inv_rms(2);
    x[C / 2] = std::numeric_limits<T>::quiet_NaN();
    kernels::rms_norm(x.data(), weight.data(), y.data(), inv_rms.data(), 2, C, 0.0);
    for (std::size_t c = 0; c < C; ++c) {
      EXPECT_TRUE(std::isnan(y[c])) << c;
      EXPECT_EQ(y[C + c], T{1}) << c;
    }
  });
}

}  // namespace
}  // namespace gladius
