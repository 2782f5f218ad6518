// Reductions against loops over all elements, over random shapes, strides and dimensions.
#include "gladius/tensor/reduce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "gladius/tensor/parallel.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// The elements of x that each element of the reduction over `dims` is made of.
std::vector<std::vector<double>> groups_of(const Tensor& x, const Dims& dims) {
  std::vector<bool> reduced(x.shape().size(), dims.empty());
  for (const std::int64_t d : dims)
    reduced[static_cast<std::size_t>(d < 0 ? d + x.dim() : d)] = true;
  std::int64_t count = 1;
  Strides step(reduced.size(), 0);
  for (std::size_t d = reduced.size(); d-- > 0;) {
    if (reduced[d]) continue;
    step[d] = count;
    count *= x.shape()[d];
  }
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(count));
  const std::vector<double> values = x.to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i), group = 0;
    for (std::size_t d = reduced.size(); d-- > 0;) {
      group += rest % x.shape()[d] * step[d];
      rest /= x.shape()[d];
    }
    groups[static_cast<std::size_t>(group)].push_back(values[i]);
  }
  return groups;
}

Dims random_dims(Rng& rng, std::int64_t rank) {
  Dims dims;
  for (std::int64_t d = 0; d < rank; ++d) {
    if (random_int(rng, 0, 1)) dims.push_back(random_int(rng, 0, 1) ? d : d - rank);
  }
  return dims;
}

struct Case {
  const char* name;
  Tensor (*function)(const Tensor&, const Dims&, bool);
  std::function<double(const std::vector<double>&)> reference;
  // Of the numbers that are added, where the result may be far smaller than they are: the rounding
  // is theirs.
  std::function<double(const std::vector<double>&)> magnitude = [](const auto&) { return 0.0; };

  friend void PrintTo(const Case& self, std::ostream* out) { *out << self.name; }
};

double total(const std::vector<double>& values) {
  long double sum = 0;
  for (const double value : values) sum += value;
  return static_cast<double>(sum);
}

double total_magnitude(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return total(values);
}

double limit_of_error(const Case& of, Dtype dtype, const std::vector<double>& group,
                      double expected) {
  return (dtype == Dtype::F32 ? 2e-7 : 1e-13) * (1 + std::abs(expected)) +
         std::numeric_limits<double>::epsilon() * of.magnitude(group);
}

class Reduction : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    All, Reduction,
    ::testing::Values(
        Case{"sum", sum, total, total_magnitude},
        Case{"mean", mean, [](const auto& v) { return total(v) / static_cast<double>(v.size()); }},
        Case{"amax", amax, [](const auto& v) { return *std::ranges::max_element(v); }},
        Case{"amin", amin, [](const auto& v) { return *std::ranges::min_element(v); }},
        Case{"logsumexp", logsumexp,
             [](auto v) {
               for (double& value : v) value = std::exp(value);
               return std::log(total(v));
             }}),
    [](const auto& info) { return info.param.name; });

TEST_P(Reduction, EqualsALoopOverTheElements) {
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    Rng rng(1);
    for (int round = 0; round < 60; ++round) {
      const std::int64_t rank = random_int(rng, 0, 4);
      const Shape shape = round == 0 ? Shape{300, 257} : random_shape(rng, rank, 1, 6);
      const Tensor x = random_view(rng, shape, -2, 2, dtype);
      const Dims dims = random_dims(rng, x.dim());
      SCOPED_TRACE(x.describe() + " over " + to_string(dims));
      const Tensor y = GetParam().function(x, dims, false);
      const Tensor kept = GetParam().function(x, dims, true);
      EXPECT_EQ(kept.dim(), x.dim());
      EXPECT_EQ(kept.to_vector<double>(), y.to_vector<double>());
      const std::vector<double> values = y.to_vector<double>();
      const auto groups = groups_of(x, dims);
      ASSERT_EQ(values.size(), groups.size());
      for (std::size_t i = 0; i < groups.size(); ++i) {
        const double e = GetParam().reference(groups[i]);
        EXPECT_NEAR(values[i], e, limit_of_error(GetParam(), dtype, groups[i], e));
      }
    }
  }
}

TEST_P(Reduction, GivesNanWhereThereIsOne) {
  const Tensor x = Tensor::from<double>({1, std::nan(""), 3, 4, 5, 6, std::nan(""), 8, 9}, {3, 3});
  const std::vector<double> y = GetParam().function(x, {1}, false).to_vector<double>();
  EXPECT_TRUE(std::isnan(y[0]) && !std::isnan(y[1]) && std::isnan(y[2]));
  Tensor large = Tensor::ones({3, 100'000});  // in several pieces
  large.narrow(0, 1, 1).narrow(1, 70'000, 1).fill_(std::nan(""));
  const std::vector<double> z = GetParam().function(large, {1}, false).to_vector<double>();
  EXPECT_TRUE(!std::isnan(z[0]) && std::isnan(z[1]) && !std::isnan(z[2]));
}

TEST_P(Reduction, WrongUse) {
  const auto apply = [](const Dims& dims, Dtype dtype = Dtype::F32) {
    return [=] { GetParam().function(Tensor::ones({2, 3}, dtype), dims, false); };
  };
  const std::string name = GetParam().name;
  EXPECT_EQ(message_of<ShapeError>(apply({2})),
            name + ": dimension 2 of a tensor with 2 dimensions");
  EXPECT_EQ(message_of<ShapeError>(apply({1, -1})), name + ": dimension -1 is named twice");
  EXPECT_THAT(message_of<DtypeError>(apply({}, Dtype::I64)), HasSubstr("not I64"));
}

TEST(Reductions, OfNothing) {
  const Tensor x = Tensor::empty({0, 3});
  EXPECT_EQ(sum(x).item(), 0);
  EXPECT_TRUE(std::isnan(mean(x).item()));  // as PyTorch's
  EXPECT_EQ(sum(x, {0}).to_vector<float>(), (std::vector<float>(3, 0)));
  EXPECT_EQ(amax(x, {1}).shape(), (Shape{0}));
  EXPECT_EQ(message_of<ShapeError>([&] { amax(x, {0}); }),
            "amax: F32 [0, 3] has no elements to choose from");
  EXPECT_THAT(message_of<ShapeError>([&] { amin(x); }), HasSubstr("amin: "));
  EXPECT_THROW(amax(Tensor::empty({0, 0, 2}), {1}), ShapeError);
  EXPECT_THAT(message_of<ShapeError>([&] { argmax(x, 0); }), HasSubstr("argmax: "));
}

TEST(Sum, OfManyFloatsIsExactToTheLastDigit) {
  const std::int64_t n = 10'000'000;
  EXPECT_EQ(sum(Tensor::full({n}, 0.1f)).item(),
            static_cast<float>(static_cast<double>(0.1f) * static_cast<double>(n)));
  EXPECT_EQ(mean(Tensor::full({n}, 0.1f)).item(), 0.1f);
}

// Over few and many outputs, along rows and columns, in one piece and in several.
TEST_P(Reduction, OfLargeTensorsIsTheSameForEveryNumberOfThreads) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const int threads = num_threads();
  for (int round = 0; round < 12; ++round) {
    const Dtype dtype = round % 2 ? Dtype::F32 : Dtype::F64;
    const Shape shape{random_int(rng, 1, 20), random_int(rng, 1, 200), random_int(rng, 1, 200)};
    const Tensor x = random_view(rng, shape, -2, 2, dtype);
    const Dims dims = random_dims(rng, x.dim());
    SCOPED_TRACE(x.describe() + " with strides " + to_string(x.strides()) + " over " +
                 to_string(dims));
    std::vector<std::vector<double>> results;
    for (const int count : {1, 2, 3}) {
      set_num_threads(count);
      results.push_back(GetParam().function(x, dims, false).to_vector<double>());
    }
    set_num_threads(threads);
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
    const auto groups = groups_of(x, dims);
    ASSERT_EQ(results[0].size(), groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const double e = GetParam().reference(groups[i]);
      ASSERT_NEAR(results[0][i], e, limit_of_error(GetParam(), dtype, groups[i], e))
          << "output " << i;
    }
  }
}

TEST(Argmax, AndArgminAreTheFirstExtremesAlongAnyDimension) {
  Rng rng(2);
  for (int round = 0; round < 40; ++round) {
    Tensor x = random_view(rng, random_shape(rng, random_int(rng, 1, 4), 1, 6), -3, 3);
    // Small whole numbers, so that many are equal.
    x = Tensor::from(x.to(Dtype::I32).to_vector<double>(), x.shape());
    for (std::int64_t dim = -x.dim(); dim < x.dim(); ++dim) {
      std::vector<std::int64_t> largest, smallest;
      for (const auto& group : groups_of(x, {dim})) {
        largest.push_back(std::ranges::max_element(group) - group.begin());
        smallest.push_back(std::ranges::min_element(group) - group.begin());
      }
      for (const Dtype dtype : {Dtype::F64, Dtype::F16, Dtype::I16}) {
        EXPECT_EQ(argmax(x.to(dtype), dim).to_vector<std::int64_t>(), largest);
        EXPECT_EQ(argmin(x.to(dtype), dim).to_vector<std::int64_t>(), smallest);
      }
      Shape kept = x.shape();
      kept[static_cast<std::size_t>(dim < 0 ? dim + x.dim() : dim)] = 1;
      EXPECT_EQ(argmax(x, dim, true).shape(), kept);
    }
  }
}

TEST(Argmax, AndArgminAtTheEdges) {
  for (const auto arg : {argmax, argmin}) {  // as PyTorch's
    EXPECT_EQ(arg(Tensor::from<double>({1, std::nan(""), 5, std::nan("")}, {4}), -1, false).item(),
              1);
    EXPECT_EQ(arg(Tensor::scalar(3), -1, false).shape(), Shape{});
    EXPECT_EQ(arg(Tensor::empty({0, 3}), 1, false).shape(), (Shape{0}));
    EXPECT_THROW(arg(Tensor::empty({0, 0, 2}), 1, false), ShapeError);
  }
  EXPECT_EQ(message_of<ShapeError>([] {
              argmin(Tensor::empty({2, 0}));
            }),
            "argmin: F32 [2, 0] has no elements to choose from");
  EXPECT_EQ(message_of<ShapeError>([] { argmax(Tensor::ones({2}), 1); }),
            "argmax: dimension 1 of a tensor with 1 dimensions");
}

TEST(Cumsum, AddsUpAlongAnyDimension) {
  Rng rng(5);
  for (int round = 0; round < 30; ++round) {
    const Tensor x =
        random_view(rng, random_shape(rng, random_int(rng, 1, 4), round % 5 ? 1 : 0, 6), -2, 2,
                    round % 2 ? Dtype::F32 : Dtype::F64);
    const std::int64_t dim = random_int(rng, -x.dim(), x.dim() - 1);
    SCOPED_TRACE(x.describe() + " along " + std::to_string(dim));
    const Tensor y = cumsum(x, dim);
    EXPECT_EQ(y.shape(), x.shape());
    EXPECT_EQ(y.dtype(), x.dtype());
    for (std::int64_t i = 0; i < x.size(dim); ++i) {
      const std::vector<double> expected = sum(x.narrow(dim, 0, i + 1), {dim}).to_vector<double>();
      EXPECT_EQ(y.select(dim, i).to_vector<double>(), expected);
    }
  }
  const Tensor bytes = Tensor::full({3}, 200, Dtype::U8);
  EXPECT_EQ(cumsum(bytes, 0).to_vector<std::int64_t>(), (std::vector<std::int64_t>{200, 400, 600}));
  EXPECT_EQ(cumsum(bytes, 0).dtype(), Dtype::I64);
  EXPECT_EQ(cumsum(Tensor::scalar(3), 0).item(), 3);
  EXPECT_EQ(message_of<ShapeError>([] { cumsum(Tensor::ones({2}), 1); }),
            "cumsum: dimension 1 of a tensor with 1 dimensions");
  EXPECT_EQ(message_of<DtypeError>([] { cumsum(Tensor::ones({2}, Dtype::F16), 0); }),
            "cumsum: arithmetic takes F32 or F64, not F16; convert with to()");
}

TEST(Logsumexp, AtTheEdges) {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::from<double>({1000, 1000, -inf, -inf, inf, 5}, {3, 2});
  EXPECT_EQ(logsumexp(x, {1}).to_vector<double>(),
            (std::vector<double>{1000 + std::log(2.0), -inf, inf}));
  EXPECT_EQ(logsumexp(Tensor::empty({0, 2}), {0}).to_vector<double>(),
            (std::vector<double>(2, -inf)));
}

TEST(SumTo, UndoesBroadcasting) {
  EXPECT_EQ(message_of<ShapeError>([] {
              sum_to(Tensor::ones({2, 3}), {1, 2, 3});
            }),
            "sum_to: [1, 2, 3] does not broadcast to [2, 3]");
  Rng rng(3);
  for (int round = 0; round < 30; ++round) {
    const Shape shape = random_shape(rng, random_int(rng, 0, 4), 1, 4);
    const Shape from = random_broadcastable(rng, shape);
    const Tensor x = random_view(rng, shape);
    const Tensor y = sum_to(x, from);
    EXPECT_EQ(y.shape(), from);
    // <x, expand(z)> = <sum_to(x), z> for every z.
    const Tensor z = random_tensor(rng, from);
    const std::vector<double> a = x.to_vector<double>(), b = z.expand(shape).to_vector<double>(),
                              c = y.to_vector<double>(), d = z.to_vector<double>();
    double left = 0, right = 0;
    for (std::size_t i = 0; i < a.size(); ++i) left += a[i] * b[i];
    for (std::size_t i = 0; i < c.size(); ++i) right += c[i] * d[i];
    EXPECT_NEAR(left, right, 1e-12);
  }
}

}  // namespace
}  // namespace gladius
