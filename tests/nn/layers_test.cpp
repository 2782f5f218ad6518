// The layers that are one operation on their parameters, and the feed-forward block.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/nn/embedding.h"
#include "gladius/nn/layer_norm.h"
#include "gladius/nn/linear.h"
#include "gladius/nn/rms_norm.h"
#include "gladius/nn/swiglu.h"
#include "support/compositions.h"
#include "support/differentiable.h"
#include "support/modules.h"

namespace gladius::nn {
namespace {

using namespace testing;

// The layer's output, and the gradients of its input and parameters, against a composition.
void expect_layer(Rng& rng, const Module& layer, const Variable& x, const Variable& actual,
                  const Variable& expected) {
  std::vector<Variable> wanted = layer.parameters();
  if (x.defined()) wanted.push_back(x);
  expect_near(actual.value(), expected.value(), 1e-10);
  const Variable seed(random_tensor(rng, actual.shape()));
  const std::vector<Variable> a = grad({actual}, wanted, {seed});
  const std::vector<Variable> e = grad({expected}, wanted, {seed});
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SCOPED_TRACE("gradient " + std::to_string(i));
    expect_near(a[i].value(), e[i].value(), 1e-10);
  }
}

TEST(LinearLayer, MultipliesByTheTransposedWeight) {
  Rng rng(1);
  for (const bool bias : {true, false}) {
    Linear layer(3, 5, bias);
    randomise(rng, layer);
    const Variable x(random_view(rng, {2, 4, 3}), true);
    const Variable product = composed::linear(x, parameter(layer, "weight"));
    expect_layer(rng, layer, x, layer.forward(x),
                 bias ? product + parameter(layer, "bias") : product);
  }
}

TEST(EmbeddingLayer, PicksRows) {
  Rng rng(2);
  Embedding layer(6, 3);
  randomise(rng, layer);
  const Tensor ids = Tensor::from<std::int64_t>({5, 0, 5, 2}, {2, 2});
  expect_layer(rng, layer, {}, layer.forward(ids),
               composed::embedding(parameter(layer, "weight"), ids));
}

TEST(LayerNormLayer, CentresNormalisesAndScales) {
  Rng rng(5);
  for (const bool bias : {true, false}) {
    LayerNorm layer(4, 0.1, bias);  // an epsilon that is felt
    randomise(rng, layer);
    EXPECT_EQ(layer.parameters().size(), bias ? 2u : 1u);
    const Variable x(random_view(rng, {2, 3, 4}), true);
    const Variable none(Tensor::zeros({4}, Dtype::F64));
    expect_layer(rng, layer, x, layer.forward(x),
                 composed::layer_norm(x, parameter(layer, "weight"),
                                      bias ? parameter(layer, "bias") : none, 0.1));
  }
}

TEST(Layers, OfANetworkHaveSecondDerivatives) {
  Rng rng(6);
  LayerNorm centre(4);
  SwiGLU feed(4, 3, true);
  RMSNorm scale(4, 1e-5);
  Linear head(4, 2);
  for (Module* layer : std::vector<Module*>{&centre, &feed, &scale, &head}) randomise(rng, *layer);
  const Function network = [&](const Inputs& in) {
    return head.forward(scale.forward(in[0] + feed.forward(centre.forward(in[0]))));
  };
  expect_twice_differentiable(network, {random_view(rng, {2, 4})});
}

TEST(RMSNormLayer, NormalisesAndScales) {
  Rng rng(3);
  RMSNorm layer(4, 0.1);  // an epsilon that is felt
  randomise(rng, layer);
  const Variable x(random_view(rng, {2, 3, 4}), true);
  expect_layer(rng, layer, x, layer.forward(x),
               composed::rms_norm(x, parameter(layer, "weight"), 0.1));
}

TEST(SwiGLULayer, GatesTheUpProjection) {
  Rng rng(4);
  for (const bool bias : {true, false}) {
    SwiGLU layer(3, 5, bias);
    randomise(rng, layer);
    const auto project = [&](const Variable& x, const std::string& name) {
      const Variable y = composed::linear(x, parameter(layer, name + ".weight"));
      return bias ? y + parameter(layer, name + ".bias") : y;
    };
    const Variable x(random_view(rng, {2, 4, 3}), true);
    const Variable hidden = composed::swiglu(project(x, "gate_proj"), project(x, "up_proj"));
    expect_layer(rng, layer, x, layer.forward(x), project(hidden, "down_proj"));
  }
}

// Sizes that no layer has are refused when it is made, or, if they can be counted, when memory is
// asked for them.
TEST(Layers, OfExtremeSizesAreRefused) {
  const auto refuse = [](const auto& make) {
    for (const std::int64_t size : {INT64_MIN, INT64_MIN + 1, std::int64_t{-1}, INT64_MAX}) {
      EXPECT_THROW(make(size), Error) << size;
    }
  };
  refuse([](std::int64_t n) { Linear(n, 2); });
  refuse([](std::int64_t n) { Linear(2, n); });
  refuse([](std::int64_t n) { Embedding(n, 3); });
  refuse([](std::int64_t n) { Embedding(3, n); });
  refuse([](std::int64_t n) { SwiGLU(n, 3); });
  refuse([](std::int64_t n) { SwiGLU(3, n); });
  refuse([](std::int64_t n) { LayerNorm(n).reset_parameters(); });
  refuse([](std::int64_t n) { RMSNorm(n, 1e-5).reset_parameters(); });
  Linear large(std::int64_t{1} << 40, 1 << 10);  // costs nothing yet
  EXPECT_THROW(large.reset_parameters(), Error);
  EXPECT_THROW(large.forward(Variable(Tensor::ones({2, 3}))), ShapeError);
}

}  // namespace
}  // namespace gladius::nn
