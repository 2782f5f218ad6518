// Functions of one variable against central differences in float64, once and twice differentiated,
// over random shapes and strides.
#include "gladius/autograd/ops/functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "support/gradients.h"

namespace gladius {
namespace {

using namespace testing;
using V = const Variable&;

struct FunctionCase {
  std::string name;
  Variable (*function)(const Variable&);
  double low, high;  // where it is smooth

  friend void PrintTo(const FunctionCase& self, std::ostream* out) { *out << self.name; }
};

class Functions : public ::testing::TestWithParam<FunctionCase> {};

INSTANTIATE_TEST_SUITE_P(
    All, Functions,
    ::testing::Values(FunctionCase{"exp", exp, -2, 2}, FunctionCase{"log", log, 0.3, 3},
                      FunctionCase{"sqrt", sqrt, 0.3, 3}, FunctionCase{"rsqrt", rsqrt, 0.3, 3},
                      FunctionCase{"tanh", tanh, -2, 2}, FunctionCase{"sigmoid", sigmoid, -3, 3},
                      FunctionCase{"silu", silu, -3, 3}, FunctionCase{"gelu", gelu, -3, 3},
                      FunctionCase{"relu_right", relu, 0.1, 2},
                      FunctionCase{"relu_left", relu, -2, -0.1},
                      FunctionCase{"abs_right", abs, 0.1, 2},
                      FunctionCase{"abs_left", abs, -2, -0.1},
                      FunctionCase{"clamp_inside", [](V x) { return clamp(x, -1, 1); }, -0.9, 0.9},
                      FunctionCase{"clamp_above", [](V x) { return clamp(x, -1, 1); }, 1.1, 2},
                      FunctionCase{"clamp_below", [](V x) { return clamp(x, -1, 1); }, -2, -1.1}),
    [](const auto& info) { return info.param.name; });

TEST_P(Functions, GradientsAgreeWithDifferences) {
  const Function call = [](const Inputs& in) { return GetParam().function(in[0]); };
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    Rng rng(seed);
    for (const Shape& shape : gradient_shapes(rng)) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + to_string(shape));
      const Tensor x = random_view(rng, shape, GetParam().low, GetParam().high);
      expect_gradients(call, leaves({x}));
      expect_float_agrees(rng, call, call, {x});
    }
  }
}

TEST_P(Functions, WrongUse) {
  const std::string name = GetParam().name.substr(0, GetParam().name.find('_'));
  EXPECT_EQ(message_of<DtypeError>([] { GetParam().function(Variable(Tensor::arange(2))); }),
            name + ": arithmetic takes F32 or F64, not I64; convert with to()");
}

std::vector<double> gradient_at(Variable (*function)(const Variable&), std::vector<double> at,
                                double seed) {
  const Variable x(Tensor::from(at, {static_cast<std::int64_t>(at.size())}), true);
  function(x).backward(Variable(Tensor::full(x.shape(), seed, Dtype::F64)));
  return x.grad().to_vector<double>();
}

TEST(Functions, GradientsAtTheirKinks) {
  using Values = std::vector<double>;
  EXPECT_EQ(gradient_at(relu, {-1, 0, 1}, 2), (Values{0, 0, 2}));
  EXPECT_EQ(gradient_at(abs, {-1, 0, 1}, 2), (Values{-2, 0, 2}));
  const auto clamped = [](V x) { return clamp(x, -1, 1); };
  EXPECT_EQ(gradient_at(clamped, {-2, -1, 0, 1, 2}, 2), (Values{0, 2, 2, 2, 0}));
}

TEST(Functions, AnInfiniteGradientDoesNotPassWhereTheyAreFlat) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(gradient_at(relu, {-1, 1}, inf), (std::vector<double>{0, inf}));
  EXPECT_EQ(gradient_at([](V x) { return clamp(x, -1, 1); }, {-2, 0}, inf),
            (std::vector<double>{0, inf}));
}

}  // namespace
}  // namespace gladius
