// Each function against <cmath> in long double, an element at a time, over random shapes and
// strides.
#include "gladius/tensor/elementwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "support/arrays.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using Real = long double;

constexpr double kInf = std::numeric_limits<double>::infinity();

// Equal but for a few roundings; NaN where NaN is expected, and infinities equal.
void expect_equal(const Tensor& actual, const std::vector<double>& expected) {
  ASSERT_TRUE(actual.is_contiguous());
  const double tolerance = actual.dtype() == Dtype::F32 ? 2e-6 : 1e-14;
  const std::vector<double> a = actual.to_vector<double>();
  ASSERT_EQ(a.size(), expected.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = expected[i];
    if (a[i] == e || (std::isnan(a[i]) && std::isnan(e))) continue;
    ASSERT_LE(std::abs(a[i] - e), tolerance * (std::abs(e) + 1e-3)) << "element " << i << ": " << e;
  }
}

double rounded(Real value, Dtype dtype) {
  return dtype == Dtype::F32 ? static_cast<float>(value) : static_cast<double>(value);
}

std::vector<Shape> shapes(Rng& rng) {
  std::vector<Shape> list{{}, {1}, {0}, {2, 0, 3}, {129, 257}};
  for (int i = 0; i < 10; ++i) list.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 6));
  return list;
}

struct UnaryCase {
  const char* name;
  std::function<Tensor(const Tensor&)> function;
  std::function<Real(Real)> reference;
  bool nan_in_nan_out = true;

  friend void PrintTo(const UnaryCase& self, std::ostream* out) { *out << self.name; }
};

class Unary : public ::testing::TestWithParam<UnaryCase> {};

Real sign_of(Real x) { return Real((x > 0) - (x < 0)); }

INSTANTIATE_TEST_SUITE_P(
    All, Unary,
    ::testing::Values(UnaryCase{"neg", [](const Tensor& x) { return neg(x); },
                                [](Real x) { return -x; }},
                      UnaryCase{"abs", [](const Tensor& x) { return abs(x); },
                                [](Real x) { return std::abs(x); }},
                      UnaryCase{"sign", [](const Tensor& x) { return sign(x); }, sign_of},
                      UnaryCase{"exp", [](const Tensor& x) { return exp(x); },
                                [](Real x) { return std::exp(x); }},
                      UnaryCase{"log", [](const Tensor& x) { return log(x); },
                                [](Real x) { return std::log(x); }},
                      UnaryCase{"sqrt", [](const Tensor& x) { return sqrt(x); },
                                [](Real x) { return std::sqrt(x); }},
                      UnaryCase{"rsqrt", [](const Tensor& x) { return rsqrt(x); },
                                [](Real x) { return 1 / std::sqrt(x); }},
                      UnaryCase{"tanh", [](const Tensor& x) { return tanh(x); },
                                [](Real x) { return std::tanh(x); }},
                      UnaryCase{"sigmoid", [](const Tensor& x) { return sigmoid(x); },
                                [](Real x) { return 1 / (1 + std::exp(-x)); }},
                      UnaryCase{"silu", [](const Tensor& x) { return silu(x); },
                                [](Real x) { return x / (1 + std::exp(-x)); }},
                      UnaryCase{"gelu", [](const Tensor& x) { return gelu(x); },
                                [](Real x) { return x / 2 * std::erfc(-x / std::sqrt(Real{2})); }},
                      UnaryCase{"relu", [](const Tensor& x) { return relu(x); },
                                [](Real x) { return std::isnan(x) || x > 0 ? x : 0; }},
                      UnaryCase{"erf", [](const Tensor& x) { return erf(x); },
                                [](Real x) { return std::erf(x); }},
                      UnaryCase{"add", [](const Tensor& x) { return add(x, 0.75); },
                                [](Real x) { return x + 0.75L; }},
                      UnaryCase{"mul", [](const Tensor& x) { return mul(x, -1.5); },
                                [](Real x) { return x * -1.5L; }},
                      UnaryCase{"pow", [](const Tensor& x) { return pow(x, 3); },
                                [](Real x) { return std::pow(x, 3); }},
                      UnaryCase{"pow_fraction", [](const Tensor& x) { return pow(x, 0.5); },
                                [](Real x) { return std::pow(x, 0.5L); }},
                      UnaryCase{"clamp", [](const Tensor& x) { return clamp(x, -0.5, 1.25); },
                                [](Real x) { return x < -0.5L   ? -0.5L
                                                    : x > 1.25L ? 1.25L
                                                                : x; }}),
    [](const auto& info) { return info.param.name; });

TEST_P(Unary, EqualsTheFunctionOfEachElement) {
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    Rng rng(1);
    for (const Shape& shape : shapes(rng)) {
      SCOPED_TRACE(to_string(shape));
      const Tensor x = random_view(rng, shape, -3, 3, dtype);
      std::vector<double> expected;
      for (const double value : x.to_vector<double>()) {
        expected.push_back(rounded(GetParam().reference(value), dtype));
      }
      const Tensor y = GetParam().function(x);
      EXPECT_EQ(y.shape(), shape);
      EXPECT_EQ(y.dtype(), dtype);
      expect_equal(y, expected);
    }
  }
}

TEST_P(Unary, OfLimitsAndNan) {
  const std::string name = GetParam().name;
  if (name == "gelu" || name == "silu") {  // -inf * 0 by the formula, as in PyTorch: only NaN here
    EXPECT_TRUE(std::isnan(GetParam().function(Tensor::scalar(std::nan(""), Dtype::F64)).item()));
    return;
  }
  const std::vector<double> in{kInf, -kInf, std::nan(""), 0};
  std::vector<double> expected;
  for (const double value : in)
    expected.push_back(static_cast<double>(GetParam().reference(value)));
  expect_equal(GetParam().function(Tensor::from(in, {4})), expected);
}

TEST_P(Unary, TakesFloatsAndDoublesAlone) {
  EXPECT_THAT(message_of<DtypeError>([] { GetParam().function(Tensor::arange(2)); }),
              HasSubstr(": arithmetic takes F32 or F64, not I64; convert with to()"));
}

struct BinaryCase {
  const char* name;
  Tensor (*function)(const Tensor&, const Tensor&);
  std::function<Real(Real, Real)> reference;

  friend void PrintTo(const BinaryCase& self, std::ostream* out) { *out << self.name; }
};

class Binary : public ::testing::TestWithParam<BinaryCase> {};

INSTANTIATE_TEST_SUITE_P(
    All, Binary,
    ::testing::Values(
        BinaryCase{"add", add, [](Real a, Real b) { return a + b; }},
        BinaryCase{"sub", sub, [](Real a, Real b) { return a - b; }},
        BinaryCase{"mul", mul, [](Real a, Real b) { return a * b; }},
        BinaryCase{"div", div, [](Real a, Real b) { return a / b; }},
        BinaryCase{"pow", pow, [](Real a, Real b) { return std::pow(a, b); }},
        BinaryCase{"maximum", maximum,
                   [](Real a, Real b) { return std::isnan(a + b) ? a + b : std::max(a, b); }},
        BinaryCase{"minimum", minimum,
                   [](Real a, Real b) { return std::isnan(a + b) ? a + b : std::min(a, b); }}),
    [](const auto& info) { return info.param.name; });

TEST_P(Binary, BroadcastsAsNumPy) {
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    Rng rng(2);
    for (const Shape& shape : shapes(rng)) {
      const Tensor a = random_view(rng, random_broadcastable(rng, shape), -2, 2, dtype);
      const Tensor b = random_view(rng, shape, 0.5, 2, dtype);
      SCOPED_TRACE(a.describe() + b.describe());
      const std::vector<double> u = a.expand(shape).to_vector<double>(), v = b.to_vector<double>();
      std::vector<double> expected;
      for (std::size_t i = 0; i < u.size(); ++i) {
        expected.push_back(rounded(GetParam().reference(u[i], v[i]), dtype));
      }
      expect_equal(GetParam().function(a, b), expected);
      EXPECT_EQ(GetParam().function(b, a).shape(), shape);
    }
  }
}

TEST_P(Binary, GivesNanWhereEitherIs) {
  const Tensor a = Tensor::from<double>({std::nan(""), 2, std::nan("")}, {3});
  const Tensor b = Tensor::from<double>({2, std::nan(""), std::nan("")}, {3});
  expect_equal(GetParam().function(a, b), {std::nan(""), std::nan(""), std::nan("")});
}

TEST_P(Binary, WrongUse) {
  const auto apply = [](const Tensor& a, const Tensor& b) {
    return [=] { GetParam().function(a, b); };
  };
  EXPECT_EQ(message_of<ShapeError>(apply(Tensor::ones({2, 3}), Tensor::ones({2}))),
            std::string(GetParam().name) + ": shapes [2, 3] and [2] do not broadcast");
  EXPECT_THAT(message_of<DtypeError>(apply(Tensor::ones({2}), Tensor::ones({2}, Dtype::F64))),
              HasSubstr("F32 [2] and F64 [2] have different types"));
  EXPECT_THAT(message_of<DtypeError>(apply(Tensor::arange(2), Tensor::arange(2))),
              HasSubstr("I64"));
}

TEST(Comparisons, CompareAnyTypeAndNanWithNothing) {
  for (const Dtype dtype : {Dtype::F32, Dtype::BF16, Dtype::I64, Dtype::U8, Dtype::F16}) {
    const Tensor a = Tensor::from<double>({1, 2, 3}, {3}).to(dtype);
    const Tensor b = Tensor::from<double>({2}, {1}).to(dtype);
    EXPECT_EQ(eq(a, b).to_vector<int>(), (std::vector{0, 1, 0}));
    EXPECT_EQ(lt(a, b).to_vector<int>(), (std::vector{1, 0, 0}));
    EXPECT_EQ(le(a, b).to_vector<int>(), (std::vector{1, 1, 0}));
    EXPECT_EQ(ne(a, b).to_vector<int>(), (std::vector{1, 0, 1}));
    EXPECT_EQ(gt(a, b).to_vector<int>(), (std::vector{0, 0, 1}));
    EXPECT_EQ(ge(a, b).to_vector<int>(), (std::vector{0, 1, 1}));
    EXPECT_EQ(eq(a, b).dtype(), Dtype::BOOL);
  }
  const Tensor nan = Tensor::scalar(std::nan(""));
  for (const auto compare : {eq, lt, le, gt, ge}) EXPECT_EQ(compare(nan, nan).item(), 0);
  EXPECT_EQ(ne(nan, nan).item(), 1);
}

TEST(Comparisons, WrongUse) {
  const std::pair<Tensor (*)(const Tensor&, const Tensor&), std::string> all[] = {
      {eq, "eq"}, {ne, "ne"}, {lt, "lt"}, {le, "le"}, {gt, "gt"}, {ge, "ge"}};
  for (const auto& [compare, name] : all) {
    EXPECT_EQ(message_of<DtypeError>([&] { compare(Tensor::ones({1}), Tensor::arange(1)); }),
              name + ": F32 [1] and I64 [1] have different types; convert one with to()");
    EXPECT_EQ(message_of<ShapeError>([&] { compare(Tensor::ones({2}), Tensor::ones({3})); }),
              name + ": shapes [2] and [3] do not broadcast");
  }
}

TEST(LogicalAnd, HoldsWhereBothDo) {
  const Tensor a = Tensor::from<double>({0, 0, 1, 1}, {4}).to(Dtype::BOOL);
  const Tensor b = Tensor::from<double>({0, 1, 0, 1}, {4}).to(Dtype::BOOL);
  EXPECT_EQ(logical_and(a, b).to_vector<int>(), (std::vector{0, 0, 0, 1}));
  EXPECT_EQ(message_of<DtypeError>([&] { logical_and(a, Tensor::ones({4})); }),
            "logical_and: F32 [4] is not BOOL");
}

TEST(Where, PicksAndBroadcastsAllThree) {
  const Tensor condition = Tensor::from<std::uint8_t>({1, 0}, {2, 1}).to(Dtype::BOOL);
  const Tensor y = where(condition, Tensor::from<double>({1, 2, 3}, {3}),
                         Tensor::scalar(std::nan(""), Dtype::F64));
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  expect_equal(y, {1, 2, 3, std::nan(""), std::nan(""), std::nan("")});
  EXPECT_EQ(where(condition, Tensor::arange(1), Tensor::arange(1)).dtype(), Dtype::I64);
  EXPECT_THAT(message_of<DtypeError>(
                  [] { where(Tensor::ones({1}), Tensor::ones({1}), Tensor::ones({1})); }),
              HasSubstr("where: the condition is F32 [1], not BOOL"));
}

TEST(InPlace, AddsAndScalesViewsOfAnyStrides) {
  Rng rng(3);
  for (const Shape& shape : shapes(rng)) {
    const Tensor y = random_view(rng, random_broadcastable(rng, shape));
    Tensor x = random_view(rng, shape);
    if (y.dim() > x.dim()) continue;
    const std::vector<double> u = x.to_vector<double>(), v = y.expand(shape).to_vector<double>();
    const std::uint64_t version = x.version();
    add_(x, y, 0.5);
    mul_(x, -2);
    EXPECT_EQ(x.version(), version + 2);
    std::vector<double> expected;
    for (std::size_t i = 0; i < u.size(); ++i) expected.push_back(-2 * (u[i] + 0.5 * v[i]));
    expect_equal(x.clone(), expected);
  }
  Tensor square = Tensor::arange(9).to(Dtype::F64).reshape({3, 3});
  add_(square, square.transpose(0, 1));  // read as it was, though it is written to
  expect_equal(square, {0, 4, 8, 4, 8, 12, 8, 12, 16});
  Tensor expanded = Tensor::ones({1}).expand({2});
  EXPECT_THAT(message_of([&] { add_(expanded, Tensor::ones({2})); }),
              HasSubstr("add_: F32 [2] is expanded along dimension 0"));
  EXPECT_THAT(message_of([&] { mul_(expanded, 2); }), HasSubstr("mul_: F32 [2] is expanded"));
  Tensor whole = Tensor::arange(2);
  EXPECT_THAT(message_of<DtypeError>([&] { mul_(whole, 2); }), HasSubstr("mul_: arithmetic takes"));
  EXPECT_EQ(whole.version(), Tensor::arange(2).version());
  Tensor small = Tensor::ones({2});
  EXPECT_THAT(message_of<ShapeError>([&] { add_(small, Tensor::ones({3})); }),
              HasSubstr("add_: [3] does not broadcast to [2]"));
  EXPECT_THAT(message_of<DtypeError>([&] { add_(small, Tensor::arange(2)); }), HasSubstr("add_: "));
}

TEST(Clamp, WithCrossedLimitsGivesTheUpperOne) {
  EXPECT_EQ(clamp(Tensor::scalar(0), 2, 1).item(), 1);  // as PyTorch's
}

// copy_ has kernels for rows of these types; they must agree with its other path, strided rows.
TEST(Conversions, AreTheSameForAnyStrides) {
  Rng rng(4);
  for (const Dtype half : {Dtype::BF16, Dtype::F16}) {
    const Tensor wide = random_tensor(rng, {40, 37}, -70000, 70000, Dtype::F32);
    const Tensor narrow = wide.to(half);
    const Tensor strided = wide.transpose(0, 1).clone().transpose(0, 1);
    EXPECT_EQ(strided.to(half).to(Dtype::F32).to_vector<float>(),
              narrow.to(Dtype::F32).to_vector<float>());
    EXPECT_EQ(narrow.to_vector<float>(), narrow.to(Dtype::F32).to_vector<float>());
    const Tensor direct = Tensor::empty({37, 40}, half);
    direct.transpose(0, 1).narrow(0, 0, 40);
    Tensor(direct.transpose(0, 1)).copy_(wide);
    EXPECT_EQ(direct.transpose(0, 1).to_vector<float>(), narrow.to_vector<float>());
  }
}

}  // namespace
}  // namespace gladius
