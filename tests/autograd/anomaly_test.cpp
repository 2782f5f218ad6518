#include "gladius/autograd/anomaly.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/softmax.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Variable leaf(const std::vector<double>& values, const Shape& shape) {
  return Variable(Tensor::from(values, shape), true);
}

TEST(DetectAnomaly, NamesTheForwardCallThatMadeANan) {
  const DetectAnomaly anomaly;
  const Variable x = leaf({1, 2, 3, 4, 5, -6}, {2, 3});
  EXPECT_EQ(message_of<GraphError>([&] { sum(sqrt(x * 2)); }),
            "anomaly: sqrt made NaN at [1, 2] of its result F64 [2, 3]; its inputs: "
            "F64 [2, 3] of mul in [-12, 10]");
}

TEST(DetectAnomaly, NamesTheForwardCallThatMadeAnInfinity) {
  const DetectAnomaly anomaly;
  const Variable x = leaf({1, 0}, {2}), y = leaf({-3}, {1});
  EXPECT_THAT(message_of<GraphError>([&] { y / x; }),
              AllOf(HasSubstr("div made an infinity at [1] of its result F64 [2]"),
                    HasSubstr("F64 [1] in [-3, -3]; F64 [2] in [0, 1]")));
}

TEST(DetectAnomaly, AlsoWithoutAGraphAndInFloat) {
  const DetectAnomaly anomaly;
  const Variable x(Tensor::from<float>({89}, {1}));
  EXPECT_THAT(message_of<GraphError>([&] { exp(x); }), HasSubstr("exp made an infinity at [0]"));
}

TEST(DetectAnomaly, BlamesOnlyTheFirst) {
  const DetectAnomaly anomaly;
  const Variable masked = leaf({0, -kInfinity, kNan}, {3});
  EXPECT_NO_THROW(exp(masked * 2));  // they came with the data
  const Variable none = leaf({-kInfinity, -kInfinity}, {2});
  EXPECT_THAT(message_of<GraphError>([&] { softmax(none); }), HasSubstr("softmax made NaN at [0]"));
}

TEST(DetectAnomaly, NamesTheBackwardWithTheShapesOfTheForwardCall) {
  const Variable x = leaf({4, 0, 1, 1}, {2, 2});
  const Variable w = leaf({1, 1, 1, 1}, {2, 2});
  const DetectAnomaly anomaly;
  EXPECT_EQ(message_of<GraphError>([&] { sum(sqrt(x) * w).backward(); }),
            "anomaly: backward of sqrt made an infinity at [0, 1] of its gradient F64 [2, 2] for "
            "input 0, from a gradient in [1, 1]; the forward call: [2, 2] of leaf -> [2, 2]");
}

TEST(DetectAnomaly, SeesGradientsThatAreAddedInPlace) {
  const Variable x = leaf({1e200, 1e200}, {1, 2}), w = leaf({1e-200, 1e-200}, {1, 2});
  sum(linear(x, w)).backward();  // from now on w has a gradient to add to
  const DetectAnomaly anomaly;
  EXPECT_THAT(message_of<GraphError>([&] { sum(linear(x, w) * 1e200).backward(); }),
              HasSubstr("backward of linear made an infinity at [0, 0] of its gradient F64 [1, 2] "
                        "for input 1"));
}

TEST(DetectAnomaly, IsOffOutsideOfItsScope) {
  EXPECT_FALSE(anomaly_detection_enabled());
  {
    const DetectAnomaly anomaly;
    EXPECT_TRUE(anomaly_detection_enabled());
    {
      const DetectAnomaly off(false);
      EXPECT_NO_THROW(log(leaf({0}, {1})));
    }
    EXPECT_TRUE(anomaly_detection_enabled());
  }
  EXPECT_NO_THROW(log(leaf({0}, {1})));
}

}  // namespace
}  // namespace gladius
