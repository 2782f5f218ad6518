// Every primitive operation against central differences in float64, once and twice differentiated,
// over random shapes, broadcasts and strides.
#include <gtest/gtest.h>

#include <string>

#include "gladius/autograd/gradcheck.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/views.h"
#include "support/random.h"

namespace gladius {
namespace {

using testing::random_int;
using testing::random_shape;
using testing::random_view;
using testing::Rng;
using Inputs = std::vector<Variable>;

constexpr int kRounds = 12;

void check(const Function& function, const Inputs& inputs) {
  EXPECT_NO_THROW(gradcheck(function, inputs));
  EXPECT_NO_THROW(gradgradcheck(function, inputs, {.step = 1e-5, .atol = 1e-5, .rtol = 1e-4}));
}

struct UnaryCase {
  std::string name;
  std::function<Variable(const Variable&)> function;
  double low, high;  // where it is smooth

  friend void PrintTo(const UnaryCase& self, std::ostream* out) { *out << self.name; }
};

class Unary : public ::testing::TestWithParam<UnaryCase> {};

TEST_P(Unary, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Shape shape = random_shape(rng, random_int(rng, 0, 3), seed % 4 == 3 ? 0 : 1);
    const Variable x(random_view(rng, shape, GetParam().low, GetParam().high), true);
    check([](const Inputs& in) { return GetParam().function(in[0]); }, {x});
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Unary,
    ::testing::Values(
        UnaryCase{"exp", [](const Variable& x) { return exp(x); }, -2, 2},
        UnaryCase{"log", [](const Variable& x) { return log(x); }, 0.3, 3},
        UnaryCase{"sqrt", [](const Variable& x) { return sqrt(x); }, 0.3, 3},
        UnaryCase{"rsqrt", [](const Variable& x) { return rsqrt(x); }, 0.3, 3},
        UnaryCase{"tanh", [](const Variable& x) { return tanh(x); }, -2, 2},
        UnaryCase{"sigmoid", [](const Variable& x) { return sigmoid(x); }, -3, 3},
        UnaryCase{"silu", [](const Variable& x) { return silu(x); }, -3, 3},
        UnaryCase{"gelu", [](const Variable& x) { return gelu(x); }, -3, 3},
        UnaryCase{"relu_right", [](const Variable& x) { return relu(x); }, 0.1, 2},
        UnaryCase{"relu_left", [](const Variable& x) { return relu(x); }, -2, -0.1},
        UnaryCase{"abs_right", [](const Variable& x) { return abs(x); }, 0.1, 2},
        UnaryCase{"abs_left", [](const Variable& x) { return abs(x); }, -2, -0.1},
        UnaryCase{"clamp_inside", [](const Variable& x) { return clamp(x, -1, 1); }, -0.9, 0.9},
        UnaryCase{"clamp_outside", [](const Variable& x) { return clamp(x, -1, 1); }, 1.1, 2},
        UnaryCase{"neg", [](const Variable& x) { return -x; }, -2, 2},
        UnaryCase{"pow", [](const Variable& x) { return pow(x, 2.7); }, 0.3, 2},
        UnaryCase{"square", [](const Variable& x) { return pow(x, 2); }, -2, 2},
        UnaryCase{"add_number", [](const Variable& x) { return x + 2; }, -2, 2},
        UnaryCase{"mul_number", [](const Variable& x) { return x * -3; }, -2, 2}),
    [](const auto& info) { return info.param.name; });

struct BinaryCase {
  std::string name;
  std::function<Variable(const Variable&, const Variable&)> function;

  friend void PrintTo(const BinaryCase& self, std::ostream* out) { *out << self.name; }
};

class Binary : public ::testing::TestWithParam<BinaryCase> {};

TEST_P(Binary, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Shape shape = random_shape(rng, random_int(rng, 0, 3), seed % 4 == 3 ? 0 : 1, 3);
    const Shape other = testing::random_broadcastable(rng, shape);
    const Variable a(random_view(rng, shape, 0.5, 2), true);
    const Variable b(random_view(rng, other, 0.5, 2), seed % 5 != 4);
    check([](const Inputs& in) { return GetParam().function(in[0], in[1]); }, {a, b});
    check([](const Inputs& in) { return GetParam().function(in[1], in[0]); }, {a, b});
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Binary,
    ::testing::Values(
        BinaryCase{"add", [](const Variable& a, const Variable& b) { return a + b; }},
        BinaryCase{"sub", [](const Variable& a, const Variable& b) { return a - b; }},
        BinaryCase{"mul", [](const Variable& a, const Variable& b) { return a * b; }},
        BinaryCase{"div", [](const Variable& a, const Variable& b) { return a / b; }},
        BinaryCase{"maximum", [](const Variable& a, const Variable& b) { return maximum(a, b); }},
        BinaryCase{"minimum", [](const Variable& a, const Variable& b) { return minimum(a, b); }},
        BinaryCase{"where",
                   [](const Variable& a, const Variable& b) {
                     std::vector<std::uint8_t> bits(static_cast<std::size_t>(a.numel()));
                     for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 != 0;
                     return where(Tensor::from(bits, a.shape()).to(Dtype::BOOL), a, b);
                   }}),
    [](const auto& info) { return info.param.name; });

TEST(Maximum, SharesTheGradientOfEqualElements) {
  const Variable a(Tensor::from<double>({1, 2, 3}, {3}), true);
  const Variable b(Tensor::from<double>({1, 5, 0}, {3}), true);
  sum(maximum(a, b)).backward();
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{0.5, 0, 1}));
  EXPECT_EQ(b.grad().to_vector<double>(), (std::vector<double>{0.5, 1, 0}));
}

// Some dimensions of a rank, each at most once, negative ones among them.
Dims random_dims(Rng& rng, std::int64_t rank) {
  Dims dims;
  for (std::int64_t d = 0; d < rank; ++d) {
    if (random_int(rng, 0, 1)) dims.push_back(random_int(rng, 0, 1) ? d : d - rank);
  }
  return dims;
}

TEST(Reductions, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 2 * kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const std::int64_t rank = random_int(rng, 0, 4);
    const Shape shape = random_shape(rng, rank, 1, 3);
    const Dims dims = random_dims(rng, rank);
    const bool keep = random_int(rng, 0, 1);
    const Variable x(random_view(rng, shape), true);
    check([&](const Inputs& in) { return sum(in[0], dims, keep); }, {x});
    check([&](const Inputs& in) { return mean(in[0], dims, keep); }, {x});
    check([&](const Inputs& in) { return amax(in[0], dims, keep); }, {x});
    check([&](const Inputs& in) { return amin(in[0], dims, keep); }, {x});
    check([&](const Inputs& in) { return logsumexp(in[0], dims, keep); }, {x});
    check([&](const Inputs& in) { return var(in[0], dims, 0, keep); }, {x});
    const Shape narrower = testing::random_broadcastable(rng, shape);
    check([&](const Inputs& in) { return sum_to(in[0], narrower); }, {x});
  }
}

TEST(Logsumexp, IsStableForLargeAndInfiniteElements) {
  const Variable x(Tensor::from<double>({1000, 1000, -INFINITY, -INFINITY, -INFINITY, 5}, {3, 2}));
  const std::vector<double> y = logsumexp(x, {1}).value().to_vector<double>();
  EXPECT_DOUBLE_EQ(y[0], 1000 + std::log(2.0));
  EXPECT_EQ(y[1], -INFINITY);
  EXPECT_DOUBLE_EQ(y[2], 5);
}

TEST(Views, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Shape shape = random_shape(rng, 3, 1, 4);
    const Variable x(random_view(rng, shape), true);
    const Variable y(random_view(rng, shape), true);
    const std::int64_t d = random_int(rng, -3, 2);
    const std::int64_t size = x.size(d);
    const std::int64_t start = random_int(rng, 0, size - 1);
    check([&](const Inputs& in) { return reshape(in[0], {-1}); }, {x});
    check([&](const Inputs& in) { return permute(in[0], {2, 0, -2}); }, {x});
    check([&](const Inputs& in) { return transpose(in[0], d, 1); }, {x});
    check([&](const Inputs& in) { return narrow(in[0], d, start, size - start); }, {x});
    check([&](const Inputs& in) { return select(in[0], d, start - size); }, {x});
    check(
        [&](const Inputs& in) {
          return expand(unsqueeze(in[0], 1), {shape[0], 2, shape[1], shape[2]});
        },
        {x});
    check([&](const Inputs& in) { return squeeze(unsqueeze(in[0], d), d); }, {x});
    check([&](const Inputs& in) { return cat({in[0], in[1], in[0]}, d); }, {x, y});
    check([&](const Inputs& in) { return stack({in[0], in[1]}, d); }, {x, y});
    check([&](const Inputs& in) { return split(in[0], 2, d).back(); }, {x});
  }
}

Tensor random_index(Rng& rng, const Shape& shape, std::int64_t size) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(numel(shape)));
  for (std::int64_t& value : values) value = random_int(rng, 0, size - 1);
  return Tensor::from(values, shape);
}

TEST(Indexing, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Shape shape = random_shape(rng, 3, 2, 4);
    const Variable x(random_view(rng, shape), true);
    const std::int64_t d = random_int(rng, 0, 2);
    const Tensor list = random_index(rng, {5}, x.size(d));
    check([&](const Inputs& in) { return index_select(in[0], d, list); }, {x});
    Shape smaller = shape;
    for (std::int64_t& size : smaller) size = random_int(rng, 1, size);
    const Tensor index = random_index(rng, smaller, x.size(d));
    const Variable source(random_view(rng, smaller), true);
    check([&](const Inputs& in) { return gather(in[0], d, index); }, {x});
    check([&](const Inputs& in) { return scatter_add(in[0], d, index, in[1]); }, {x, source});
  }
}

TEST(Matmul, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 2 * kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const std::int64_t m = random_int(rng, 1, 4), k = random_int(rng, 1, 4),
                       n = random_int(rng, 1, 4);
    Shape batch = random_shape(rng, random_int(rng, 0, 2), 1, 3);
    Shape a_shape = batch, b_shape = testing::random_broadcastable(rng, batch);
    a_shape.insert(a_shape.end(), {m, k});
    b_shape.insert(b_shape.end(), {k, n});
    if (seed % 6 == 4) a_shape = {k};
    if (seed % 6 == 5) b_shape = {k};
    const Variable a(random_view(rng, a_shape), true);
    const Variable b(random_view(rng, b_shape), true);
    check([](const Inputs& in) { return matmul(in[0], in[1]); }, {a, b});
  }
}

TEST(Linear, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Shape shape = random_shape(rng, random_int(rng, 1, 3), seed % 4 == 3 ? 0 : 1, 5);
    const std::int64_t n = random_int(rng, 1, 5);
    const Variable x(random_view(rng, shape), true);
    const Variable w(random_view(rng, {n, shape.back()}), true);
    const Variable b(random_view(rng, {n}), true);
    EXPECT_NO_THROW(
        gradcheck([](const Inputs& in) { return linear(in[0], in[1], in[2]); }, {x, w, b}));
    EXPECT_NO_THROW(gradcheck([](const Inputs& in) { return linear(in[0], in[1]); }, {x, w}));
  }
}

TEST(Linear, AddsToTheGradientThatTheWeightHas) {
  Rng rng(1);
  const Variable x(testing::random_tensor(rng, {3, 4}));
  const Variable w(testing::random_tensor(rng, {5, 4}), true);
  sum(linear(x, w)).backward();
  const std::vector<double> once = w.grad().to_vector<double>();
  const void* place = w.grad().raw_data();
  sum(linear(x, w) + linear(x, w)).backward();
  EXPECT_EQ(w.grad().raw_data(), place);
  const std::vector<double> thrice = w.grad().to_vector<double>();
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(thrice[i], 3 * once[i], 1e-12);
}

}  // namespace
}  // namespace gladius
