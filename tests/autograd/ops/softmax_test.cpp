#include "gladius/autograd/ops/softmax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

struct SoftmaxCase {
  const char* name;
  Variable (*fused)(const Variable&, std::int64_t);
  Variable (*composition)(const Variable&, std::int64_t);

  Function along(std::int64_t dim, bool composed) const {
    return [*this, dim, composed](const Inputs& in) {
      return (composed ? composition : fused)(in[0], dim);
    };
  }
};

class Softmax : public ::testing::TestWithParam<SoftmaxCase> {};
INSTANTIATE_TEST_SUITE_P(Both, Softmax,
                         ::testing::Values(SoftmaxCase{"softmax", softmax, composed::softmax},
                                           SoftmaxCase{"log_softmax", log_softmax,
                                                       composed::log_softmax}),
                         [](const auto& info) { return info.param.name; });

TEST_P(Softmax, EqualsItsCompositionAlongEveryDimension) {
  Rng rng(1);
  std::vector<Shape> shapes{{1}, {3, 1}, {0, 4}, {2, 40}, {300, 41}};
  for (int i = 0; i < 8; ++i) shapes.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 5));
  for (const Shape& shape : shapes) {
    const auto rank = static_cast<std::int64_t>(shape.size());
    for (std::int64_t dim = -rank; dim < rank; ++dim) {
      SCOPED_TRACE(to_string(shape) + " along " + std::to_string(dim));
      if (shape[static_cast<std::size_t>(dim < 0 ? dim + rank : dim)] == 0) continue;
      const Tensor x = random_view(rng, shape, -3, 3);
      const Function fused = GetParam().along(dim, false), plain = GetParam().along(dim, true);
      expect_same_function(rng, fused, plain, {x});
      expect_float_agrees(rng, fused, plain, {x});
    }
  }
}

TEST_P(Softmax, CanBeDifferentiatedTwice) {
  Rng rng(2);
  for (const std::int64_t dim : {0, 1}) {
    const Inputs inputs = leaves({random_view(rng, {3, 4}, -2, 2)});
    EXPECT_NO_THROW(gradcheck(GetParam().along(dim, false), inputs));
    EXPECT_NO_THROW(gradgradcheck(GetParam().along(dim, false), inputs,
                                  {.step = 1e-5, .atol = 1e-5, .rtol = 1e-4}));
  }
}

// Gradients with a graph of their own come from another formula than those without.
TEST_P(Softmax, GradientsAreTheSameWithAGraph) {
  Rng rng(3);
  const Variable x(random_view(rng, {3, 4}, -2, 2), true);
  const Variable y = GetParam().fused(x, -1), seed(random_tensor(rng, {3, 4}));
  const Variable plain = grad({y}, {x}, {seed}, /*retain_graph=*/true)[0];
  const Variable graphed = grad({y}, {x}, {seed}, true, /*create_graph=*/true)[0];
  EXPECT_TRUE(graphed.requires_grad());
  expect_near(graphed.value(), plain.value(), 1e-12);
}

TEST_P(Softmax, IsStableForLargeNumbers) {
  const Variable x(Tensor::from<double>({10000, 10001, -10000}, {3}), true);
  const Variable shifted(Tensor::from<double>({0, 1, -20000}, {3}), true);
  expect_near(GetParam().fused(x, 0).value(), GetParam().fused(shifted, 0).value(), 1e-12);
}

TEST_P(Softmax, OfOneNumberAndOfNothing) {
  const Variable one(Tensor::scalar(3, Dtype::F64), true);
  const Variable y = GetParam().fused(one, -1);
  EXPECT_EQ(y.shape(), Shape{});
  EXPECT_EQ(y.item(), GetParam().name == std::string("softmax") ? 1 : 0);
  EXPECT_EQ(grad({y}, {one})[0].item(), 0);
  EXPECT_EQ(GetParam().fused(Variable(Tensor::ones({2, 0})), -1).shape(), (Shape{2, 0}));
}

TEST_P(Softmax, SeesItsResultModifiedInPlace) {
  const Variable x(Tensor::ones({2}, Dtype::F64), true);
  const Variable y = GetParam().fused(x, -1);
  Tensor(y.value()).fill_(0);
  EXPECT_THAT(message_of<GraphError>([&] { sum(y).backward(); }),
              HasSubstr(std::string("backward of ") + GetParam().name));
}

TEST_P(Softmax, WrongUse) {
  const auto apply = [](Dtype dtype, std::int64_t dim) {
    return [=] { GetParam().fused(Variable(Tensor::ones({2, 3}, dtype)), dim); };
  };
  EXPECT_THAT(message_of<ShapeError>(apply(Dtype::F32, 2)),
              HasSubstr(GetParam().name + std::string(": dimension 2 of a tensor with 2")));
  EXPECT_THAT(message_of<DtypeError>(apply(Dtype::BF16, 1)), HasSubstr("not BF16"));
}

TEST(SoftmaxOfMasks, EntriesOfMinusInfinityHaveNoWeight) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Variable x(
      Tensor::from<double>({0, -infinity, 0, -infinity, -infinity, -infinity}, {2, 3}));
  const std::vector<double> y = softmax(x).value().to_vector<double>();
  EXPECT_THAT(std::vector(y.begin(), y.begin() + 3), ::testing::ElementsAre(0.5, 0, 0.5));
  EXPECT_TRUE(std::isnan(y[3]) && std::isnan(y[4]) && std::isnan(y[5]));  // as PyTorch's
}

}  // namespace
}  // namespace gladius
