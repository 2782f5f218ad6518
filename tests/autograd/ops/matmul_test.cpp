// The linear layer; products alone are in primitive_ops_test.cpp.
#include "gladius/autograd/ops/matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/matmul.h"
#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

Variable fused_linear(const Inputs& in) { return linear(in[0], in[1], in[2]); }
Variable composed_linear(const Inputs& in) { return composed::linear(in[0], in[1]) + in[2]; }

TEST(Linear, EqualsItsComposition) {
  Rng rng(1);
  std::vector<Shape> shapes{{1}, {0, 3}, {3, 0}, {2, 0, 4}, {65, 70}};
  for (int i = 0; i < 12; ++i) shapes.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 6));
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(to_string(shape));
    const std::int64_t N = random_int(rng, 1, 7);
    const std::vector<Tensor> inputs{random_view(rng, shape), random_view(rng, {N, shape.back()}),
                                     random_view(rng, {N})};
    expect_same_function(rng, fused_linear, composed_linear, inputs);
    expect_float_agrees(rng, fused_linear, composed_linear, inputs);
  }
}

TEST(LinearEach, IsLinearOfEach) {
  Rng rng(6);
  for (const Shape& shape : {Shape{5}, Shape{1, 1, 8}, Shape{2, 3, 4}, Shape{3, 0}}) {
    SCOPED_TRACE(to_string(shape));
    const std::vector<Tensor> inputs{random_view(rng, shape), random_view(rng, {2, shape.back()}),
                                     random_view(rng, {2}), random_view(rng, {3, shape.back()})};
    const auto each = [](const Inputs& in) {
      const Variable none;
      const LinearParameters layers[] = {{in[1], in[2]}, {in[3], none}};
      const std::vector<Variable> y = linear_each(in[0], layers);
      return cat({y[0], y[1]}, -1);
    };
    const auto alone = [](const Inputs& in) {
      return cat({linear(in[0], in[1], in[2]), linear(in[0], in[3])}, -1);
    };
    expect_same_function(rng, each, alone, inputs);
    expect_float_agrees(rng, each, alone, inputs);
    EXPECT_NO_THROW(gradcheck(each, leaves(inputs)));
  }
}

TEST(Linear, TakesFrozen16BitWeights) {
  Rng rng(2);
  for (const Dtype half : {Dtype::BF16, Dtype::F16}) {
    for (const Shape& shape : {Shape{5}, Shape{1, 40}, Shape{2, 3, 17}, Shape{3, 0}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor w = random_view(rng, {6, shape.back()}, -1, 1, half);
      const Tensor b = random_tensor(rng, {6}, -1, 1, half);
      expect_float_agrees(
          rng, [&](const Inputs& in) { return linear(in[0], Variable(w), Variable(b)); },
          [&](const Inputs& in) {
            return composed_linear({in[0], Variable(w.to(Dtype::F64)), Variable(b.to(Dtype::F64))});
          },
          {random_view(rng, shape)});
    }
  }
}

TEST(Linear, GradientsAgreeWithDifferences) {
  Rng rng(3);
  for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{3, 0}, Shape{2, 3, 4}, Shape{1, 100}}) {
    SCOPED_TRACE(to_string(shape));
    const std::vector<Tensor> inputs{random_view(rng, shape), random_view(rng, {2, shape.back()}),
                                     random_view(rng, {2})};
    EXPECT_NO_THROW(gradcheck(fused_linear, leaves(inputs)));
    if (shape.back() < 100) expect_twice_differentiable(fused_linear, inputs);
  }
}

// The gradient of a network's gradient, by hand: f = sum((W x)^2) has the Hessian 2 W^T W.
TEST(Linear, HessianVectorProduct) {
  Rng rng(4);
  const Tensor weight = random_tensor(rng, {5, 3}), direction = random_tensor(rng, {3});
  for (const bool trained : {true, false}) {
    const Variable x(random_tensor(rng, {3}), true), w(weight, trained);
    const Variable y = linear(x, w);
    const Variable first = grad({sum(y * y)}, {x}, {}, false, /*create_graph=*/true)[0];
    const Tensor product = grad({sum(first * Variable(direction))}, {x})[0].value();
    const Tensor twice = matmul(weight.transpose(0, 1), matmul(weight, direction));
    expect_near(product, add(twice, twice), 1e-12);
  }
}

TEST(Linear, KeepsItsInputOnlyForTheGradientOfTheWeight) {
  const Variable x(Tensor::ones({2, 3}), true);
  for (const bool trained : {true, false}) {
    const auto holders = x.value().storage().use_count();
    const Variable y = linear(x, Variable(Tensor::ones({4, 3}), trained));
    EXPECT_EQ(x.value().storage().use_count(), holders + trained);
  }
}

TEST(Linear, TakesFrozen16BitWeightsTwice) {
  Rng rng(5);
  const Variable w(random_tensor(rng, {4, 3}, -1, 1, Dtype::BF16));
  const Variable x(random_tensor(rng, {2, 3}, -1, 1, Dtype::F32), true);
  const auto gradient = [&](bool create_graph) {
    return grad({sum(linear(x, w))}, {x}, {}, false, create_graph)[0].value();
  };
  expect_near(gradient(true), gradient(false), 1e-6);
}

TEST(Linear, WrongUse) {
  const auto apply = [](const Tensor& x, const Tensor& w, const Variable& b = {}) {
    return [=] { linear(Variable(x), Variable(w), b); };
  };
  const Tensor x = Tensor::ones({2, 3}), w = Tensor::ones({4, 3});
  EXPECT_EQ(message_of<ShapeError>(apply(x, Tensor::ones({4, 2}))),
            "linear: input [2, 3] does not fit weight [4, 2]");
  EXPECT_THAT(message_of<ShapeError>(apply(x, Tensor::ones({3}))), HasSubstr("weight [3]"));
  EXPECT_THAT(message_of<ShapeError>(apply(Tensor::scalar(1), w)), HasSubstr("input []"));
  EXPECT_EQ(message_of<ShapeError>(apply(x, w, Variable(Tensor::ones({3})))),
            "linear: bias [3] does not fit weight [4, 3]");
  EXPECT_EQ(message_of<DtypeError>(apply(x, w, Variable(Tensor::ones({4}, Dtype::F64), true))),
            "linear: input F32 [2, 3] with trainable bias F64 [4]; their types differ");
  EXPECT_THAT(message_of<DtypeError>(apply(x.to(Dtype::F64), w.to(Dtype::BF16))),
              HasSubstr("F32 with a BF16 or F16 weight"));
  EXPECT_THAT(message_of<DtypeError>(apply(x, w.to(Dtype::F64))), HasSubstr("weight F64 [4, 3]"));
}

}  // namespace
}  // namespace gladius
