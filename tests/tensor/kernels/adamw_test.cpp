#include "gladius/tensor/kernels/adamw.h"

#include <gtest/gtest.h>

#include "support/arrays.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

// torch.optim.AdamW's single-tensor update, an element at a time.
void reference(double& param, double grad, double& m, double& v, const kernels::AdamWStep& step) {
  grad *= step.grad_scale;
  param *= 1 - step.lr * step.weight_decay;
  m += (1 - step.beta1) * (grad - m);
  v = v * step.beta2 + (1 - step.beta2) * grad * grad;
  const double denominator = std::sqrt(v) / std::sqrt(step.bias_correction2) + step.eps;
  param -= step.lr / step.bias_correction1 * m / denominator;
}

template <class T>
class AdamW : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(AdamW, Types);

TYPED_TEST(AdamW, TwentyStepsMatchTheReference) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t n : {1, 7, 16, 45}) {
      SCOPED_TRACE(n);
      std::mt19937_64 random(n);
      auto param = random_array<T>(random, n);
      OffsetArray<T> m(n), v(n);
      auto expected = param.to();
      std::vector<double> expected_m(n), expected_v(n);
      for (int t = 1; t <= 20; ++t) {
        const auto grad = random_array<T>(random, n, 0.1);
        kernels::AdamWStep step{.lr = 0.01 / t, .weight_decay = 0.1, .grad_scale = 0.25 * t};
        step.bias_correction1 = 1 - std::pow(step.beta1, t);
        step.bias_correction2 = 1 - std::pow(step.beta2, t);
        kernels::adamw(param.data(), grad.data(), m.data(), v.data(), n, step);
        for (std::size_t i = 0; i < n; ++i) {
          reference(expected[i], grad[i], expected_m[i], expected_v[i], step);
        }
      }
      expect_close(param, expected, kernel_tolerance<T>);
      expect_close(m, expected_m, kernel_tolerance<T>);
      expect_close(v, expected_v, kernel_tolerance<T>);
    }
  });
}

TYPED_TEST(AdamW, ZeroGradientOnlyDecays) {
  using T = TypeParam;
  for_each_simd_target([] {
    OffsetArray<T> param(19, T{2}), grad(19), m(19), v(19);
    const kernels::AdamWStep step{.lr = 0.5, .weight_decay = 0.5};
    kernels::adamw(param.data(), grad.data(), m.data(), v.data(), 19, step);
    EXPECT_EQ(param.to(), std::vector<double>(19, 1.5));
  });
}

TYPED_TEST(AdamW, SumOfSquares) {
  using T = TypeParam;
  for_each_simd_target([] {
    for (const std::size_t n : {0, 1, 9, 64, 1023, 100003}) {
      SCOPED_TRACE(n);
      std::mt19937_64 random(n);
      const auto x = random_array<T>(random, n, 3);
      long double expected = 0;
      for (const auto v : x.template to<long double>()) expected += v * v;
      const double tolerance = sizeof(T) == 4 ? 3e-7 : 1e-14;
      EXPECT_NEAR(kernels::sum_of_squares(x.data(), n), double(expected),
                  tolerance * double(expected));
    }
    const OffsetArray<T> equal(1 << 20, T{0.1});  // a single float sum would be off by 1e-3
    const double square = double(equal[0]) * double(equal[0]);
    EXPECT_NEAR(kernels::sum_of_squares(equal.data(), 1 << 20) / (square * (1 << 20)), 1, 2e-6);
  });
}

}  // namespace
}  // namespace gladius
