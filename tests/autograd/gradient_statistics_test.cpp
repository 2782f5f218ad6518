#include "gladius/autograd/gradient_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/random.h"

namespace gladius {
namespace {

using testing::Rng;

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

TEST(GradientStatistics, OfAFewElements) {
  const GradientStatistics s =
      gradient_statistics(Tensor::from<double>({3, -4, 0, kNotANumber, 0, 0, 0, 0}, {2, 4}));
  EXPECT_DOUBLE_EQ(s.norm, 5);
  EXPECT_DOUBLE_EQ(s.mean, -1.0 / 7);
  EXPECT_DOUBLE_EQ(s.largest, 4);
  EXPECT_DOUBLE_EQ(s.zeros, 5.0 / 8);
  EXPECT_EQ(s.nans, 1);
}

TEST(GradientStatistics, AgreesWithLongDoubleSumsOverManyElements) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Dtype dtype = seed % 2 ? Dtype::F32 : Dtype::F64;
    const Tensor x = testing::random_view(rng, testing::random_shape(rng, 3, 20, 90), -2, 3, dtype);
    long double squares = 0, sum = 0, largest = 0;
    for (const double value : x.to_vector<double>()) {
      squares += static_cast<long double>(value) * value;
      sum += value;
      largest = std::max<long double>(largest, std::abs(value));
    }
    const GradientStatistics s = gradient_statistics(x);
    EXPECT_NEAR(s.norm, static_cast<double>(std::sqrt(squares)), 1e-10 * s.norm);
    EXPECT_NEAR(s.mean, static_cast<double>(sum / x.numel()), 1e-12);
    EXPECT_EQ(s.largest, static_cast<double>(largest));
    EXPECT_EQ(s.zeros, 0);
  }
}

TEST(GradientStatistics, OfNothing) {
  const GradientStatistics s = gradient_statistics(Tensor::zeros({0, 3}));
  EXPECT_EQ(s.norm, 0);
  EXPECT_EQ(s.mean, 0);
  EXPECT_EQ(s.zeros, 0);
}

TEST(GradientStatistics, ByNameAsATable) {
  Variable weight(Tensor::ones({2}), true), bias(Tensor::ones({2}), true);
  weight.set_grad(Tensor::from<float>({0, 2}, {2}));
  const auto statistics =
      gradient_statistics(NamedVariables{{"layer.weight", weight}, {"layer.bias", bias}});
  ASSERT_EQ(statistics.size(), 1u);  // the bias has no gradient
  EXPECT_EQ(format_table(statistics),
            "parameter           norm         mean     largest    zeros    NaN\n"
            "layer.weight  2.0000e+00   1.0000e+00  2.0000e+00   50.00%      0\n");
}

}  // namespace
}  // namespace gladius
