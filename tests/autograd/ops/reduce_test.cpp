// Reductions against central differences in float64, once and twice differentiated, over random
// shapes, dimensions and strides; large ones against their closed forms.
#include "gladius/autograd/ops/reduce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "support/gradients.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using Row = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double mean_of(const Row& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

// Derivatives of reductions of a row with respect to each of its elements.
Row filled(const Row& x, double value) { return Row(x.size(), value); }
Row derivative_of_var(const Row& x) {
  const double mean = mean_of(x);
  Row d;
  for (const double v : x) d.push_back(2 * (v - mean) / (static_cast<double>(x.size()) - 1));
  return d;
}
Row derivative_of_choice(const Row& x, Row::const_iterator chosen) {
  Row d = filled(x, 0);
  d[static_cast<std::size_t>(chosen - x.begin())] = 1;
  return d;
}
Row derivative_of_logsumexp(const Row& x) {
  Row d;
  for (const double v : x) d.push_back(std::exp(v));
  const double total = std::accumulate(d.begin(), d.end(), 0.0);
  for (double& v : d) v /= total;
  return d;
}

struct ReductionCase {
  std::string name;
  Variable (*function)(const Variable&, const Dims&, bool);
  Row (*derivative)(const Row&);
  bool of_nothing = true;  // whether it is defined for no elements

  friend void PrintTo(const ReductionCase& self, std::ostream* out) { *out << self.name; }
};

class Reductions : public ::testing::TestWithParam<ReductionCase> {};

INSTANTIATE_TEST_SUITE_P(
    All, Reductions,
    ::testing::Values(
        ReductionCase{"sum", sum, [](const Row& x) { return filled(x, 1); }},
        ReductionCase{"mean", mean,
                      [](const Row& x) { return filled(x, 1 / static_cast<double>(x.size())); }},
        ReductionCase{
            "var",
            [](const Variable& x, const Dims& dims, bool keep) { return var(x, dims, 1, keep); },
            derivative_of_var},
        ReductionCase{
            "amax", amax,
            [](const Row& x) { return derivative_of_choice(x, std::ranges::max_element(x)); },
            false},
        ReductionCase{
            "amin", amin,
            [](const Row& x) { return derivative_of_choice(x, std::ranges::min_element(x)); },
            false},
        ReductionCase{"logsumexp", logsumexp, derivative_of_logsumexp}),
    [](const auto& info) { return info.param.name; });

TEST_P(Reductions, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    Rng rng(seed);
    for (Shape shape : gradient_shapes(rng)) {
      const bool is_var = GetParam().name == "var";  // of single elements it is NaN
      if (is_var)
        std::ranges::transform(shape, shape.begin(), [](auto n) { return n ? n + 1 : 0; });
      if (is_var && shape.empty()) continue;
      if (!GetParam().of_nothing && numel(shape) == 0) continue;
      Dims dims = random_dims(rng, static_cast<std::int64_t>(shape.size()));
      const bool keep = random_int(rng, 0, 1);
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + to_string(shape) + " over " +
                   to_string(dims));
      const Function call = [&](const Inputs& in) {
        return GetParam().function(in[0], dims, keep);
      };
      const Tensor x = random_view(rng, shape);
      if (numel(shape) > 0) expect_gradients(call, leaves({x}));
      const Variable leaf(x, true);
      EXPECT_EQ(grad({sum(call({leaf}))}, {leaf})[0].shape(), shape);
      expect_float_agrees(rng, call, call, {x});
    }
  }
}

// Values apart by more than the step of the differences, so that an extreme stays the extreme.
Tensor distinct_values(Rng& rng, const Shape& shape) {
  Row values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1e-4 * static_cast<double>(i) - 3;
  std::ranges::shuffle(values, rng);
  return Tensor::from(values, shape);
}

TEST_P(Reductions, OfManyElementsHaveTheirClosedForms) {
  Rng rng(1);
  const std::int64_t rows = 3, n = 20'000;
  // Rows side by side, with gaps, and all of it as one.
  for (const Tensor& x : {distinct_values(rng, {n, rows}).transpose(0, 1),
                          distinct_values(rng, {rows, 2 * n}).narrow(1, 1, n, 2),
                          distinct_values(rng, {1, rows * n})}) {
    SCOPED_TRACE(x.describe() + " with strides " + to_string(x.strides()));
    const Function call = [](const Inputs& in) { return GetParam().function(in[0], {1}, false); };
    const Tensor seed = random_tensor(rng, {x.size(0)});
    const Variable leaf(x, true);
    const Tensor actual = grad({call({leaf})}, {leaf}, {Variable(seed)})[0].value();
    for (std::int64_t r = 0; r < x.size(0); ++r) {
      Row expected = GetParam().derivative(x.select(0, r).to_vector<double>());
      for (double& v : expected) v *= seed.select(0, r).item();
      const Row d = actual.select(0, r).to_vector<double>();
      for (std::size_t i = 0; i < d.size(); ++i) {
        ASSERT_NEAR(d[i], expected[i], 1e-12 * std::abs(expected[i]) + 1e-16) << "element " << i;
      }
    }
    expect_hessian_vector_products(rng, call, {x});
  }
}

TEST_P(Reductions, WrongUse) {
  const std::string& name = GetParam().name;
  const auto apply = [](const Dims& dims, Dtype dtype = Dtype::F32) {
    return [=] { GetParam().function(Variable(Tensor::ones({2, 3}, dtype)), dims, false); };
  };
  EXPECT_EQ(message_of<ShapeError>(apply({2})),
            name + ": dimension 2 of a tensor with 2 dimensions");
  EXPECT_EQ(message_of<ShapeError>(apply({1, -1})), name + ": dimension -1 is named twice");
  EXPECT_EQ(message_of<DtypeError>(apply({}, Dtype::I64)),
            name + ": arithmetic takes F32 or F64, not I64; convert with to()");
}

// As PyTorch's.
TEST(Reductions, OfNothing) {
  const Variable x(Tensor::zeros({0, 3}, Dtype::F64), true);
  const Tensor nan = Tensor::full({3}, std::nan(""), Dtype::F64);
  expect_near(sum(x, {0}).value(), Tensor::zeros({3}, Dtype::F64), 0);
  expect_near(mean(x, {0}).value(), nan, 0);
  expect_near(var(x, {0}).value(), nan, 0);
  expect_near(logsumexp(x, {0}).value(), Tensor::full({3}, -kInfinity, Dtype::F64), 0);
  EXPECT_EQ(amax(x, {1}).shape(), (Shape{0}));
  EXPECT_EQ(message_of<ShapeError>([&] { amin(x, {0}); }),
            "amin: F64 [0, 3] has no elements to choose from");
  for (const Variable& y : {sum(x), mean(x), var(x), logsumexp(x)}) {
    EXPECT_EQ(y.shape(), Shape{});
    EXPECT_EQ(grad({y}, {x})[0].shape(), x.shape());
  }
}

TEST(Var, DividesByZeroWhereTheCorrectionLeavesNothing) {
  const auto of = [](const Row& x, double correction) {
    const Tensor values = Tensor::from(x, {static_cast<std::int64_t>(x.size())});
    return var(Variable(values), {}, correction).item();
  };
  EXPECT_TRUE(std::isnan(of({5}, 1)));
  EXPECT_EQ(of({1, 2}, 3), kInfinity);  // as PyTorch's, not negative
  EXPECT_EQ(of({1, 3}, 0), 1);
  EXPECT_EQ(of({1, 3}, 1), 2);
}

TEST(Amax, SharesTheGradientOfEqualExtremes) {
  const Variable x(Tensor::from<double>({1, 4, 4, 0}, {4}), true);
  sum(amax(x)).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Row{0, 0.5, 0.5, 0}));
}

TEST(Logsumexp, IsStableForLargeAndInfiniteElements) {
  const Variable x(Tensor::from<double>(
                       {1000, 1000, -kInfinity, -kInfinity, -kInfinity, 5, kInfinity, 1}, {4, 2}),
                   true);
  const Variable y = logsumexp(x, {1});
  expect_near(y.value(),
              Tensor::from<double>({1000 + std::log(2.0), -kInfinity, 5, kInfinity}, {4}), 1e-15);
  sum(y).backward();
  const double nan = std::nan("");  // PyTorch's: inf - inf
  expect_near(x.grad(), Tensor::from<double>({0.5, 0.5, nan, nan, 0, 1, nan, 0}, {4, 2}), 1e-13);
}

TEST(SumTo, UndoesBroadcasting) {
  Rng rng(4);
  for (const Shape& shape : gradient_shapes(rng)) {
    const Shape narrower = random_broadcastable(rng, shape);
    SCOPED_TRACE(to_string(shape) + " to " + to_string(narrower));
    expect_gradients([&](const Inputs& in) { return sum_to(in[0], narrower); },
                     leaves({random_view(rng, shape)}));
  }
  const Variable x(Tensor::ones({2, 3}));
  EXPECT_EQ(message_of<ShapeError>([&] { sum_to(x, {2}); }),
            "sum_to: [2] does not broadcast to [2, 3]");
  EXPECT_EQ(message_of<ShapeError>([&] {
              sum_to(x, {1, 2, 3});
            }),
            "sum_to: [1, 2, 3] does not broadcast to [2, 3]");
}

}  // namespace
}  // namespace gladius
