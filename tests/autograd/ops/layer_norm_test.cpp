#include "gladius/autograd/ops/layer_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr double kLayerNormEps = 1e-2;  // felt, also by a row of one element

Variable fused_layer_norm(const Inputs& in) {
  return layer_norm(in[0], in[1], in[2], kLayerNormEps);
}
Variable composed_layer_norm(const Inputs& in) {
  return composed::layer_norm(in[0], in[1], in[2], kLayerNormEps);
}

std::vector<Tensor> inputs_of(Rng& rng, const Shape& shape) {
  return {random_view(rng, shape, -2, 2), random_view(rng, {shape.back()}),
          random_view(rng, {shape.back()})};
}

// Several blocks of rows among them, whose shares of the parameters' gradients are added up.
std::vector<Shape> layer_norm_shapes(Rng& rng) {
  std::vector<Shape> list{{1}, {1, 1}, {0, 3}, {3, 0}, {2, 0, 4}, {70, 9}, {3, 33, 17}};
  for (int i = 0; i < 12; ++i) list.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 6));
  return list;
}

TEST(LayerNorm, EqualsItsComposition) {
  Rng rng(1);
  for (const Shape& shape : layer_norm_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    expect_same_function(rng, fused_layer_norm, composed_layer_norm, inputs_of(rng, shape));
  }
}

TEST(LayerNorm, InFloatAgreesWithTheCompositionInDouble) {
  Rng rng(2);
  for (const Shape& shape : layer_norm_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    expect_float_agrees(rng, fused_layer_norm, composed_layer_norm, inputs_of(rng, shape), 2e-5);
  }
}

TEST(LayerNorm, WithoutWeightOrBias) {
  Rng rng(3);
  const Variable one(Tensor::ones({5}, Dtype::F64)), zero(Tensor::zeros({5}, Dtype::F64));
  const std::vector<Tensor> x{random_view(rng, {3, 4, 5}, -2, 2)};
  const std::vector<Tensor> and_p{x[0], random_tensor(rng, {5})};
  const auto expect_pair = [&](const Function& bare, const Function& full,
                               const std::vector<Tensor>& tensors) {
    expect_same_function(rng, bare, full, tensors);
    expect_twice_differentiable(bare, tensors);
  };
  expect_pair([](const Inputs& in) { return layer_norm(in[0], {}, {}, kLayerNormEps); },
              [&](const Inputs& in) {
                return composed_layer_norm({in[0], one, zero});
              },
              x);
  expect_pair([](const Inputs& in) { return layer_norm(in[0], in[1], {}, kLayerNormEps); },
              [&](const Inputs& in) {
                return composed_layer_norm({in[0], in[1], zero});
              },
              and_p);
  expect_pair([](const Inputs& in) { return layer_norm(in[0], {}, in[1], kLayerNormEps); },
              [&](const Inputs& in) {
                return composed_layer_norm({in[0], one, in[1]});
              },
              and_p);
}

TEST(LayerNorm, GradientsAgreeWithDifferences) {
  Rng rng(4);
  for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{5}, Shape{2, 3}, Shape{2, 2, 4},
                             Shape{33, 2}, Shape{1, 101}}) {
    SCOPED_TRACE(to_string(shape));
    EXPECT_NO_THROW(gradcheck(fused_layer_norm, leaves(inputs_of(rng, shape))));
  }
}

TEST(LayerNorm, IsDifferentiableTwice) {
  Rng rng(5);
  for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{5}, Shape{2, 3, 4}}) {
    SCOPED_TRACE(to_string(shape));
    expect_twice_differentiable(fused_layer_norm, inputs_of(rng, shape));
  }
}

TEST(LayerNorm, TakesFrozen16BitParameters) {
  Rng rng(6);
  const Tensor w = random_tensor(rng, {7}, -1, 1, Dtype::BF16);
  const Tensor b = random_tensor(rng, {7}, -1, 1, Dtype::F16);
  const Variable x(random_tensor(rng, {4, 7}, -1, 1, Dtype::F32), true);
  const Variable seed(random_tensor(rng, {4, 7}, -1, 1, Dtype::F32));
  const auto evaluate = [&](const Tensor& weight, const Tensor& bias) {
    const Variable y = layer_norm(x, Variable(weight), Variable(bias), kLayerNormEps);
    EXPECT_EQ(y.dtype(), Dtype::F32);
    return std::pair(y.value().to_vector<float>(),
                     grad({y}, {x}, {seed})[0].value().to_vector<float>());
  };
  EXPECT_EQ(evaluate(w, b), evaluate(w.to(Dtype::F32), b.to(Dtype::F32)));
}

TEST(LayerNorm, SeesItsInputModifiedInPlace) {
  const Variable x(Tensor::ones({2, 3}, Dtype::F64), true);
  const Variable y = sum(layer_norm(x, {}, {}, kLayerNormEps));
  Tensor(x.value()).fill_(2);
  EXPECT_THAT(
      message_of<GraphError>([&] { y.backward(); }),
      ::testing::AllOf(HasSubstr("backward of layer_norm"), HasSubstr("modified in place")));
}

TEST(LayerNorm, WrongUse) {
  const auto normalise = [](const Tensor& x, const Variable& w, const Variable& b,
                            double eps = kLayerNormEps) {
    return [=] { layer_norm(Variable(x), w, b, eps); };
  };
  const auto ones = [](const Shape& shape, Dtype dtype = Dtype::F32, bool trained = false) {
    return Variable(Tensor::ones(shape, dtype), trained);
  };
  const Tensor x = Tensor::ones({2, 3});
  EXPECT_EQ(message_of<ShapeError>(normalise(x, ones({2}), {})),
            "layer_norm: input [2, 3] does not fit weight [2]");
  EXPECT_EQ(message_of<ShapeError>(normalise(x, {}, ones({1, 3}))),
            "layer_norm: input [2, 3] does not fit bias [1, 3]");
  EXPECT_THAT(message_of<ShapeError>(normalise(Tensor::scalar(1), {}, {})),
              HasSubstr("layer_norm: input []"));
  EXPECT_THAT(message_of<DtypeError>(normalise(x.to(Dtype::BF16), {}, {})),
              HasSubstr("layer_norm: arithmetic takes F32 or F64"));
  EXPECT_EQ(message_of<DtypeError>(normalise(x, ones({3}, Dtype::F64, true), {})),
            "layer_norm: input F32 [2, 3] with trainable weight F64 [3]; their types differ");
  EXPECT_THAT(message_of<DtypeError>(normalise(x, {}, ones({3}, Dtype::F64, true))),
              HasSubstr("trainable bias F64 [3]"));
  EXPECT_EQ(message_of<ConfigError>(normalise(x, {}, {}, -0.5)),
            "layer_norm: eps -0.5 is not 0 or more");
  EXPECT_THAT(message_of<ConfigError>(normalise(x, {}, {}, NAN)), HasSubstr("eps nan"));
}

}  // namespace
}  // namespace gladius
