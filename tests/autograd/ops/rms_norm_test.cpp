#include "gladius/autograd/ops/rms_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr double kRmsNormEps = 1e-5;

Variable fused_rms_norm(const Inputs& in) { return rms_norm(in[0], in[1], kRmsNormEps); }
Variable composed_rms_norm(const Inputs& in) {
  return composed::rms_norm(in[0], in[1], kRmsNormEps);
}

// Several blocks of rows among them, whose shares of the weight's gradient are added up.
std::vector<Shape> rms_norm_shapes(Rng& rng) {
  std::vector<Shape> list{{1}, {1, 1}, {0, 3}, {2, 0, 4}, {70, 9}, {3, 33, 17}};
  for (int i = 0; i < 12; ++i) list.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 6));
  return list;
}

TEST(RmsNorm, EqualsItsComposition) {
  Rng rng(1);
  for (const Shape& shape : rms_norm_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    expect_same_function(rng, fused_rms_norm, composed_rms_norm,
                         {random_view(rng, shape, -2, 2), random_view(rng, {shape.back()})});
  }
}

TEST(RmsNorm, InFloatAgreesWithTheCompositionInDouble) {
  Rng rng(2);
  for (const Shape& shape : rms_norm_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    expect_float_agrees(rng, fused_rms_norm, composed_rms_norm,
                        {random_view(rng, shape, -2, 2), random_view(rng, {shape.back()})});
  }
}

TEST(RmsNorm, GradientsAgreeWithDifferences) {
  Rng rng(3);
  for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{5}, Shape{2, 3}, Shape{2, 2, 4},
                             Shape{33, 2}, Shape{1, 101}}) {
    SCOPED_TRACE(to_string(shape));
    const Inputs inputs = leaves({random_view(rng, shape), random_view(rng, {shape.back()})});
    EXPECT_NO_THROW(gradcheck(fused_rms_norm, inputs));
  }
}

TEST(RmsNorm, EpsilonKeepsRowsOfZerosFinite) {
  const Variable x(Tensor::zeros({2, 3}, Dtype::F64), true);
  const Variable w(Tensor::ones({3}, Dtype::F64), true);
  sum(fused_rms_norm({x, w})).backward();
  expect_near(x.grad(), Tensor::full({2, 3}, 1 / std::sqrt(kRmsNormEps), Dtype::F64), 1e-10);
  expect_near(w.grad(), Tensor::zeros({3}, Dtype::F64), 0);
}

TEST(RmsNorm, TakesFrozen16BitWeights) {
  Rng rng(4);
  for (const Dtype half : {Dtype::BF16, Dtype::F16}) {
    const Tensor w = random_tensor(rng, {7}, -1, 1, half);
    const Variable x(random_tensor(rng, {4, 7}, -1, 1, Dtype::F32), true);
    const Variable y = rms_norm(x, Variable(w), kRmsNormEps);
    EXPECT_EQ(y.dtype(), Dtype::F32);
    const Variable z = rms_norm(x, Variable(w.to(Dtype::F32)), kRmsNormEps);
    EXPECT_EQ(y.value().to_vector<float>(), z.value().to_vector<float>());
    const Variable seed(random_tensor(rng, {4, 7}, -1, 1, Dtype::F32));
    EXPECT_EQ(grad({y}, {x}, {seed})[0].value().to_vector<float>(),
              grad({z}, {x}, {seed})[0].value().to_vector<float>());
  }
}

TEST(RmsNorm, SeesItsInputModifiedInPlace) {
  const Variable x(Tensor::ones({2, 3}, Dtype::F64), true);
  const Variable y = sum(rms_norm(x, Variable(Tensor::ones({3}, Dtype::F64)), kRmsNormEps));
  Tensor(x.value()).fill_(2);
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }),
              ::testing::AllOf(HasSubstr("backward of rms_norm"), HasSubstr("modified in place")));
}

TEST(RmsNorm, WrongUse) {
  const auto normalise = [](const Tensor& x, const Tensor& w, bool trained = false) {
    return [=] { rms_norm(Variable(x), Variable(w, trained), kRmsNormEps); };
  };
  const Tensor x = Tensor::ones({2, 3});
  EXPECT_EQ(message_of<ShapeError>(normalise(x, Tensor::ones({2}))),
            "rms_norm: input [2, 3] does not fit weight [2]");
  EXPECT_THAT(message_of<ShapeError>(normalise(x, Tensor::ones({1, 3}))), HasSubstr("[1, 3]"));
  EXPECT_THAT(message_of<ShapeError>(normalise(Tensor::scalar(1), Tensor::ones({1}))),
              HasSubstr("input []"));
  EXPECT_THAT(message_of<DtypeError>(normalise(x.to(Dtype::BF16), Tensor::ones({3}))),
              HasSubstr("rms_norm: arithmetic takes F32 or F64"));
  EXPECT_THAT(message_of<DtypeError>(normalise(x, Tensor::ones({3}, Dtype::F64), true)),
              HasSubstr("trainable weight F64 [3]"));
  EXPECT_EQ(message_of<ConfigError>([&] { rms_norm(Variable(x), Variable(x), -1); }),
            "rms_norm: eps -1 is not 0 or more");
}

TEST(RmsNorm, IsDifferentiableTwice) {
  Rng rng(5);
  for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{5}, Shape{2, 3, 4}}) {
    SCOPED_TRACE(to_string(shape));
    expect_twice_differentiable(fused_rms_norm,
                                {random_view(rng, shape), random_view(rng, {shape.back()})});
  }
}

}  // namespace
}  // namespace gladius
