#include "gladius/tensor/kernels/layer_norm.h"

#include <gtest/gtest.h>

#include "support/arrays.h"
#include "support/complex_step.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

constexpr double eps = 1e-3;  // large enough to be seen

// sum(dy * layer_norm(x, weight, bias)) over rows of C = weight.size().
template <class S>
S reference(const std::vector<S>& x, const std::vector<S>& weight, const std::vector<S>& bias,
            const std::vector<double>& dy, std::vector<S>* y = nullptr) {
  const std::size_t C = weight.size();
  const auto n = static_cast<double>(C);
  S total = 0;
  for (std::size_t r = 0; r < x.size(); r += C) {
    S mean = 0, variance = 0;
    for (std::size_t c = 0; c < C; ++c) mean += x[r + c] / n;
    for (std::size_t c = 0; c < C; ++c) variance += (x[r + c] - mean) * (x[r + c] - mean) / n;
    for (std::size_t c = 0; c < C; ++c) {
      const S value = (x[r + c] - mean) / std::sqrt(variance + eps) * weight[c] + bias[c];
      if (y) y->push_back(value);
      total += dy[r + c] * value;
    }
  }
  return total;
}

template <class T>
class LayerNormKernel : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LayerNormKernel, Types);

TYPED_TEST(LayerNormKernel, ForwardAndBackwardMatchTheDefinition) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t C : {1, 3, 8, 17, 31, 64, 101}) {
      SCOPED_TRACE(C);
      std::mt19937_64 random(C);
      constexpr std::size_t rows = 3;
      const auto x = random_array<T>(random, rows * C, 0.5), weight = random_array<T>(random, C),
                 bias = random_array<T>(random, C), dy = random_array<T>(random, rows * C);
      OffsetArray<T> y(x.size()), dx(x.size()), mean(rows), inv_std(rows), dweight(C, T{1}),
          dbias(C, T{2});
      kernels::layer_norm(x.data(), weight.data(), bias.data(), y.data(), mean.data(),
                          inv_std.data(), rows, C, eps);
      std::vector<double> expected;
      reference(x.to(), weight.to(), bias.to(), dy.to(), &expected);
      expect_close(y, expected, 2 * kernel_tolerance<T>);
      EXPECT_NEAR((x[0] - mean[0]) * inv_std[0] * weight[0] + bias[0], expected[0],
                  kernel_tolerance<T> * 10);

      kernels::layer_norm_backward(x.data(), weight.data(), mean.data(), inv_std.data(), dy.data(),
                                   dx.data(), dweight.data(), dbias.data(), rows, C);
      const auto at = x.template to<Complex>(), w = weight.template to<Complex>(),
                 b = bias.template to<Complex>();
      if (C > 1) {  // a row of one element has no gradient, only rounding
        expect_close(dx,
                     complex_step_gradient(
                         [&](const auto& v) { return reference(v, w, b, dy.to()); }, x.to()),
                     10 * kernel_tolerance<T>);
      }
      auto expected_dweight = complex_step_gradient(
          [&](const auto& v) { return reference(at, v, b, dy.to()); }, weight.to());
      auto expected_dbias = complex_step_gradient(
          [&](const auto& v) { return reference(at, w, v, dy.to()); }, bias.to());
      for (double& v : expected_dweight) v += 1;  // adds to what was there
      for (double& v : expected_dbias) v += 2;
      expect_close(dweight, expected_dweight, 5 * kernel_tolerance<T>);
      expect_close(dbias, expected_dbias, 5 * kernel_tolerance<T>);

      // Each alone gives the same; in place too.
      OffsetArray<T> only_dx(dy), only_dweight(C, T{1}), only_dbias(C, T{2});
      const auto alone = [&](const T* from, T* a, T* b, T* c) {
        kernels::layer_norm_backward<T>(x.data(), weight.data(), mean.data(), inv_std.data(), from,
                                        a, b, c, rows, C);
      };
      alone(only_dx.data(), only_dx.data(), nullptr, nullptr);
      alone(dy.data(), nullptr, only_dweight.data(), nullptr);
      alone(dy.data(), nullptr, nullptr, only_dbias.data());
      EXPECT_EQ(only_dx.to(), dx.to());
      EXPECT_EQ(only_dweight.to(), dweight.to());
      EXPECT_EQ(only_dbias.to(), dbias.to());
      OffsetArray<T> in_place(x);
      kernels::layer_norm(in_place.data(), weight.data(), bias.data(), in_place.data(), mean.data(),
                          inv_std.data(), rows, C, eps);
      EXPECT_EQ(in_place.to(), y.to());
    }
  });
}

// The variance is that of the differences, not a difference of squares.
TYPED_TEST(LayerNormKernel, KeepsItsDigitsFarFromZero) {
  using T = TypeParam;
  for_each_simd_target([] {
    constexpr std::size_t C = 64;
    OffsetArray<T> x(C), weight(C, T{1}), bias(C), y(C), mean(1), inv_std(1);
    for (std::size_t c = 0; c < C; ++c) {  // exact in float
      x[c] = static_cast<T>(4096 + static_cast<double>(c % 8) / 4);
    }
    kernels::layer_norm(x.data(), weight.data(), bias.data(), y.data(), mean.data(), inv_std.data(),
                        1, C, 0.0);
    std::vector<double> expected;
    const double std_dev = std::sqrt(63.0 / 12) / 4;  // of 0, 1/4, ..., 7/4
    for (std::size_t c = 0; c < C; ++c) {
      expected.push_back((static_cast<double>(c % 8) - 3.5) / 4 / std_dev);
    }
    expect_close(y, expected, kernel_tolerance<T>);
  });
}

TYPED_TEST(LayerNormKernel, NanStaysInItsRow) {
  using T = TypeParam;
  for_each_simd_target([] {
    constexpr std::size_t C = 19;
    OffsetArray<T> x(2 * C, T{1}), weight(C, T{1}), bias(C, T{3}), y(2 * C), mean(2), inv_std(2);
    x[C / 2] = std::numeric_limits<T>::quiet_NaN();
    kernels::layer_norm(x.data(), weight.data(), bias.data(), y.data(), mean.data(), inv_std.data(),
                        2, C, 1.0);
    for (std::size_t c = 0; c < C; ++c) {
      EXPECT_TRUE(std::isnan(y[c])) << c;
      EXPECT_EQ(y[C + c], T{3}) << c;
    }
  });
}

}  // namespace
}  // namespace gladius
