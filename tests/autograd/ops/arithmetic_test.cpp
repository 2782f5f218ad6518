// Arithmetic against central differences in float64, once and twice differentiated, over random
// shapes, broadcasts and strides; its conventions; its wrong uses.
#include "gladius/autograd/ops/arithmetic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "support/gradients.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor vector(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

// Every third element false.
Tensor pattern(const Shape& shape) {
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 != 0;
  return Tensor::from(bits, shape).to(Dtype::BOOL);
}

struct OperationCase {
  std::string name;
  Variable (*function)(const Variable&, const Variable&);

  friend void PrintTo(const OperationCase& self, std::ostream* out) { *out << self.name; }
};

class Arithmetic : public ::testing::TestWithParam<OperationCase> {
 protected:
  static Variable call(const Inputs& in) { return GetParam().function(in[0], in[1]); }
};

INSTANTIATE_TEST_SUITE_P(All, Arithmetic,
                         ::testing::Values(OperationCase{"add", add}, OperationCase{"sub", sub},
                                           OperationCase{"mul", mul}, OperationCase{"div", div},
                                           OperationCase{"pow", pow},
                                           OperationCase{"maximum", maximum},
                                           OperationCase{"minimum", minimum},
                                           OperationCase{"where",
                                                         [](const Variable& a, const Variable& b) {
                                                           return where(pattern(a.shape()), a, b);
                                                         }}),
                         [](const auto& info) { return info.param.name; });

TEST_P(Arithmetic, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    Rng rng(seed);
    for (const Shape& shape : gradient_shapes(rng)) {
      const Shape other = random_broadcastable(rng, shape);
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + to_string(shape) + to_string(other));
      const Tensor a = random_view(rng, shape, 0.5, 2), b = random_view(rng, other, 0.5, 2);
      for (const unsigned mask : {1u, 2u, 3u}) expect_gradients(call, leaves({a, b}, mask));
      expect_gradients(call, leaves({b, a}));
      expect_float_agrees(rng, call, call, {a, b});
    }
  }
}

TEST_P(Arithmetic, SumsTheGradientOfWhatIsBroadcastOverManyRows) {
  Rng rng(1);
  const std::int64_t rows = 20'000;
  const Tensor a = random_tensor(rng, {3, rows}, 0.5, 2).transpose(0, 1);
  const Tensor b = random_tensor(rng, {3}, 0.5, 2);
  const Variable seed(random_tensor(rng, {rows, 3}));
  const Inputs broadcast = leaves({a, b}), whole = leaves({a, b.expand({rows, 3}).clone()});
  const std::vector<Variable> actual = grad({call(broadcast)}, broadcast, {seed});
  const std::vector<Variable> expected = grad({call(whole)}, whole, {seed});
  expect_near(actual[0].value(), expected[0].value(), 1e-15);
  std::vector<double> sums(3);
  const std::vector<double> terms = expected[1].value().to_vector<double>();
  for (std::size_t i = 0; i < terms.size(); ++i) sums[i % 3] += terms[i];
  expect_near(actual[1].value(), vector(sums), 1e-11);
  expect_hessian_vector_products(rng, call, {a, b});
}

TEST_P(Arithmetic, WrongUse) {
  const auto apply = [](const Tensor& a, const Tensor& b) {
    return [=] { GetParam().function(Variable(a), Variable(b)); };
  };
  const std::string& name = GetParam().name;
  EXPECT_EQ(message_of<ShapeError>(apply(Tensor::ones({2, 3}), Tensor::ones({2}))),
            name + ": shapes [2, 3] and [2] do not broadcast");
  EXPECT_EQ(message_of<DtypeError>(apply(Tensor::ones({2}), Tensor::ones({3}, Dtype::F64))),
            name + ": F32 [2] and F64 [3] have different types; convert one with to()");
  EXPECT_THAT(message_of([] { GetParam().function(Variable(), Variable()); }),
              HasSubstr("undefined variable"));
  if (name == "where") return;  // takes any type
  EXPECT_EQ(message_of<DtypeError>(apply(Tensor::arange(2), Tensor::arange(2))),
            name + ": arithmetic takes F32 or F64, not I64; convert with to()");
}

struct NumberCase {
  std::string name;
  Variable (*function)(const Variable&);
  double (*reference)(double);

  friend void PrintTo(const NumberCase& self, std::ostream* out) { *out << self.name; }
};

class WithNumbers : public ::testing::TestWithParam<NumberCase> {};

using V = const Variable&;
INSTANTIATE_TEST_SUITE_P(
    All, WithNumbers,
    ::testing::Values(
        NumberCase{"add_right", [](V x) { return x + 2; }, [](double x) { return x + 2; }},
        NumberCase{"add_left", [](V x) { return 2 + x; }, [](double x) { return 2 + x; }},
        NumberCase{"sub_right", [](V x) { return x - 0.3; }, [](double x) { return x - 0.3; }},
        NumberCase{"sub_left", [](V x) { return 0.3 - x; }, [](double x) { return 0.3 - x; }},
        NumberCase{"mul_right", [](V x) { return x * -3; }, [](double x) { return x * -3; }},
        NumberCase{"mul_left", [](V x) { return -3 * x; }, [](double x) { return -3 * x; }},
        NumberCase{"div_right", [](V x) { return x / 3; }, [](double x) { return x / 3; }},
        NumberCase{"div_left", [](V x) { return 3 / x; }, [](double x) { return 3 / x; }},
        NumberCase{"pow_right", [](V x) { return pow(x, 2.7); },
                   [](double x) { return std::pow(x, 2.7); }},
        NumberCase{"pow_left", [](V x) { return pow(2.5, x); },
                   [](double x) { return std::pow(2.5, x); }},
        NumberCase{"square", [](V x) { return pow(x, 2); }, [](double x) { return x * x; }},
        NumberCase{"zeroth_power", [](V x) { return pow(x, 0); }, [](double) { return 1.0; }},
        NumberCase{"neg", [](V x) { return -x; }, [](double x) { return -x; }}),
    [](const auto& info) { return info.param.name; });

TEST_P(WithNumbers, ValuesAndGradients) {
  const Function call = [](const Inputs& in) { return GetParam().function(in[0]); };
  Rng rng(2);
  for (const Shape& shape : gradient_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    const Tensor x = random_view(rng, shape, 0.4, 2);
    std::vector<double> expected;
    for (const double value : x.to_vector<double>())
      expected.push_back(GetParam().reference(value));
    expect_near(call({Variable(x)}).value(), Tensor::from(expected, shape), 1e-15);
    expect_gradients(call, leaves({x}));
    expect_float_agrees(rng, call, call, {x});
  }
}

// PyTorch 2.13: (0^0, 0^2, 0^-1, 2^0, (-1)^2) and the gradients of base and exponent.
TEST(Pow, FollowsPyTorchAtABaseOfZero) {
  const Variable base(vector({0, 0, 0, 2, -1}), true), exponent(vector({0, 2, -1, 0, 2}), true);
  const Variable y = pow(base, exponent);
  expect_near(y.value(), vector({1, 0, kInf, 1, 1}), 0);
  sum(y).backward();
  expect_near(base.grad(), vector({0, 0, -kInf, 0, -2}), 0);
  expect_near(exponent.grad(), vector({0, 0, -kInf, std::log(2.0), std::nan("")}), 1e-15);
}

TEST(Pow, OfANumberHasNoGradientForAnExponentOfZero) {
  const Variable x(vector({0, kInf, 3}), true);
  sum(pow(x, 0)).backward();
  expect_near(x.grad(), vector({0, 0, 0}), 0);
}

TEST(Div, HasGradientsOfLargeAndSmallFloats) {
  for (const double size : {1e-25, 1e25}) {  // whose squares are no floats
    const Variable a(Tensor::full({1}, size), true), b(Tensor::full({1}, size), true);
    sum(a / b).backward();
    EXPECT_NEAR(b.grad().item() * size, -1, 1e-6);
  }
}

TEST(Maximum, SharesTheGradientOfEqualElements) {
  const Variable a(vector({1, 2, 3}), true), b(vector({1, 5, 0}), true);
  sum(maximum(a, b)).backward();
  expect_near(a.grad(), vector({0.5, 0, 1}), 0);
  expect_near(b.grad(), vector({0.5, 1, 0}), 0);
}

TEST(Minimum, GivesAnInfiniteGradientToOneSideAlone) {
  const Variable a(vector({1, 2}), true), b(vector({2, 1}), true);
  minimum(a, b).backward(Variable(vector({kInf, kInf})));
  expect_near(a.grad(), vector({kInf, 0}), 0);
  expect_near(b.grad(), vector({0, kInf}), 0);
}

TEST(Where, WrongUse) {
  const Variable x(Tensor::ones({2}), true);
  EXPECT_EQ(message_of<DtypeError>([&] { where(Tensor::ones({2}), x, x); }),
            "where: the condition is F32 [2], not BOOL");
  EXPECT_EQ(message_of<ShapeError>([&] { where(pattern({3}), x, x); }),
            "where: shapes [3] and [2] do not broadcast");
  Tensor condition = pattern({2});
  const Variable y = sum(where(condition, x, x * 2));
  condition.zero_();
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }),
              HasSubstr("backward of where: BOOL [2] was saved"));
}

}  // namespace
}  // namespace gladius
