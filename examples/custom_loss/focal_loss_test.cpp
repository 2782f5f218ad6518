// What a loss of one's own is tested for: values and gradients that are known, finite differences,
// and what it does to a model's parameters.
#include "focal_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gladius/autograd/gradcheck.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/nn/linear.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/random.h"

namespace {

using namespace gladius;

// Double precision, so that finite differences are exact to many digits.
Variable random_logits(std::int64_t N, std::int64_t V) {
  Generator generator(/*seed=*/1);
  return Variable(randn({N, V}, generator, Dtype::F64), /*requires_grad=*/true);
}

// Two classes at even odds: p = 1/2, so the loss is (1/2)^2 log 2. Its derivative by the label's
// logit is (2 p (1 - p) log p - (1 - p)^2) (1 - p) = -(log 2 + 1/2) / 4, and by the other's the
// opposite.
TEST(FocalLoss, EvenOddsByHand) {
  const Variable logits(Tensor::zeros({1, 2}, Dtype::F64), /*requires_grad=*/true);
  const Variable loss = focal_loss(logits, Tensor::from({1}, Dtype::I64), /*gamma=*/2);
  loss.backward();

  EXPECT_NEAR(loss.item(), std::log(2) / 4, 1e-15);
  const std::vector<double> gradient = logits.grad().to_vector<double>();
  EXPECT_NEAR(gradient[0], (std::log(2) + 0.5) / 4, 1e-15);
  EXPECT_NEAR(gradient[1], -(std::log(2) + 0.5) / 4, 1e-15);
}

// The same in general: dL/dz_j = (gamma p (1 - p)^(gamma - 1) log p - (1 - p)^gamma) ([j = label] -
// p_j) / N.
TEST(FocalLoss, GradientIsTheClosedForm) {
  constexpr std::int64_t N = 5, V = 4;
  constexpr double gamma = 1.5;
  const std::vector<std::int64_t> labels = {0, 3, 1, 1, 2};
  const Variable logits = random_logits(N, V);
  focal_loss(logits, Tensor::from(labels, {N}), gamma).backward();

  const Tensor probabilities = softmax(logits).value();
  for (std::int64_t row = 0; row < N; ++row) {
    const std::int64_t label = labels[static_cast<std::size_t>(row)];
    const std::vector<double> q = probabilities.select(0, row).to_vector<double>();
    const std::vector<double> gradient = logits.grad().select(0, row).to_vector<double>();
    const double p = q[static_cast<std::size_t>(label)];
    const double factor =
        gamma * p * std::pow(1 - p, gamma - 1) * std::log(p) - std::pow(1 - p, gamma);
    for (std::int64_t j = 0; j < V; ++j) {
      const auto at = static_cast<std::size_t>(j);
      EXPECT_NEAR(gradient[at], factor * ((j == label) - q[at]) / N, 1e-14) << row << ", " << j;
    }
  }
}

// gradcheck throws, naming the element, where a gradient is not what differences say.
TEST(FocalLoss, GradientsAreFiniteDifferences) {
  const Tensor labels = Tensor::from({0, 3, 1, 1, 2}, Dtype::I64);
  for (const double gamma : {0.5, 1.0, 2.0, 5.0}) {
    SCOPED_TRACE(gamma);
    const Function loss = [&](const std::vector<Variable>& inputs) {
      return focal_loss(inputs[0], labels, gamma);
    };
    EXPECT_NO_THROW(gradcheck(loss, {random_logits(5, 4)}));
    EXPECT_NO_THROW(gradgradcheck(loss, {random_logits(5, 4)}));
  }
}

TEST(FocalLoss, IsCrossEntropyForGammaZero) {
  const Tensor labels = Tensor::from({0, 3, 1, 1, 2}, Dtype::I64);
  const Variable a = random_logits(5, 4), b = random_logits(5, 4);
  const Variable focal = focal_loss(a, labels, /*gamma=*/0), expected = cross_entropy(b, labels);
  focal.backward();
  expected.backward();

  EXPECT_NEAR(focal.item(), expected.item(), 1e-14);
  EXPECT_LT(amax(abs(sub(a.grad(), b.grad()))).item(), 1e-14);
}

// A layer with two inputs, one of which is far on the right side: the gradient that reaches the
// parameters is almost that of the other alone.
TEST(FocalLoss, ParametersLearnFromTheHardRow) {
  nn::Linear layer(/*in_features=*/2, /*out_features=*/2);
  layer.load_state_dict(
      NamedTensors{{"weight", Tensor::from({{4, 0}, {0, 4}})}, {"bias", Tensor::zeros({2})}});
  const Variable inputs(Tensor::from({{1, 0}, {0, 1}}));
  const Tensor labels = Tensor::from({0, 0}, Dtype::I64);  // the second row is on the wrong side
  focal_loss(layer.forward(inputs), labels, /*gamma=*/2).backward();

  for (const auto& [name, parameter] : layer.named_parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_EQ(parameter.grad().shape(), parameter.shape()) << name;
  }
  // weight[class][feature]: the first feature belongs to the easy row, the second to the hard one.
  const std::vector<double> gradient = layer.weight.grad().to_vector<double>();
  EXPECT_LT(std::abs(gradient[0]), 1e-4 * std::abs(gradient[1]));
  EXPECT_LT(gradient[1], 0);  // descent raises the label's logit of the hard row
  EXPECT_GT(gradient[3], 0);
}

TEST(FocalLoss, RefusesALabelWithoutALogit) {
  EXPECT_THROW(focal_loss(random_logits(1, 4), Tensor::from({4}, Dtype::I64), 2), ShapeError);
}

}  // namespace
