#include "gladius/nn/rotary_embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/autograd/ops/arithmetic.h"
#include "support/differentiable.h"

namespace gladius::nn {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RotaryFrequencies, FallGeometrically) {
  const std::vector<double> f = RotaryEmbedding::default_frequencies(8, 10000);
  ASSERT_EQ(f.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(f[i], std::pow(10.0, -static_cast<double>(i)));
  }
}

TEST(RotaryFrequencies, NeedAnEvenHeadSize) {
  for (const std::int64_t size : {-2, 0, 3}) {
    EXPECT_THAT(message_of<ConfigError>([&] { RotaryEmbedding(size, 10000); }),
                HasSubstr("head_dim " + std::to_string(size) + " is not a positive even number"));
  }
}

// One head (1, 0, ...) at a position turns into the cosines and sines of that position's angles.
void expect_angles(RotaryEmbedding& rotary, const std::vector<double>& frequencies,
                   std::int64_t position, double scaling) {
  SCOPED_TRACE(position);
  const auto half = static_cast<std::int64_t>(frequencies.size());
  const Tensor x = Tensor::zeros({1, 1, 2 * half}, Dtype::F64);
  x.narrow(2, 0, half).fill_(1);
  const Variable y =
      rotary.forward(Variable(x), Tensor::full({1}, static_cast<double>(position), Dtype::I64));
  const std::vector<double> out = y.value().to_vector<double>();
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    // In float32, as the reference implementation.
    const float angle = static_cast<float>(position) * static_cast<float>(frequencies[i]);
    EXPECT_DOUBLE_EQ(out[i], scaling * std::cos(static_cast<double>(angle)));
    EXPECT_DOUBLE_EQ(out[i + frequencies.size()], scaling * std::sin(static_cast<double>(angle)));
  }
}

TEST(RotaryEmbeddingLayer, GrowsWithThePositions) {
  const std::vector<double> f = RotaryEmbedding::default_frequencies(6, 500);
  RotaryEmbedding rotary(6, 500);
  for (const std::int64_t position : {0, 1, 63, 64, 65, 200, 3, 5000}) {
    expect_angles(rotary, f, position, 1);
  }
}

TEST(RotaryEmbeddingLayer, TakesFrequenciesAndScaling) {
  RotaryEmbedding rotary({0.5, 0.03}, 1.25);
  expect_angles(rotary, {0.5, 0.03}, 77, 1.25);
}

TEST(RotaryEmbeddingLayer, FollowsTheElementType) {
  Rng rng(1);
  RotaryEmbedding rotary(4, 10000);
  const Tensor x = random_tensor(rng, {3, 2, 4});
  const Tensor positions = Tensor::arange(3);
  const Variable wide = rotary.forward(Variable(x), positions);
  const Variable single = rotary.forward(Variable(x.to(Dtype::F32)), positions);
  EXPECT_EQ(single.dtype(), Dtype::F32);
  expect_near(single.value(), wide.value(), 1e-6);
  expect_near(rotary.forward(Variable(x), positions).value(), wide.value(), 0);
}

// What makes attention depend on distances alone.
TEST(RotaryEmbeddingLayer, ProductsDependOnTheDifferenceOfPositions) {
  Rng rng(2);
  RotaryEmbedding rotary(8, 100);
  const Variable q(random_tensor(rng, {1, 1, 8})), k(random_tensor(rng, {1, 1, 8}));
  const auto product = [&](double at_q, double at_k) {
    return sum(rotary.forward(q, Tensor::full({1}, at_q, Dtype::I64)) *
               rotary.forward(k, Tensor::full({1}, at_k, Dtype::I64)))
        .item();
  };
  EXPECT_NEAR(product(5, 2), product(25, 22), 1e-5);  // angles are rounded to float32
  EXPECT_GT(std::abs(product(5, 2) - product(6, 2)), 1e-3);
}

TEST(RotaryEmbeddingLayer, OfNoTokensAndOfNegativePositions) {
  RotaryEmbedding rotary(4, 10000);
  EXPECT_EQ(rotary.forward(Variable(Tensor::ones({0, 2, 4})), Tensor::arange(0)).shape(),
            (Shape{0, 2, 4}));
  EXPECT_THAT(
      message_of<ShapeError>([&] {
        rotary.forward(Variable(Tensor::ones({1, 2, 4})), Tensor::full({1}, -3, Dtype::I64));
      }),
      HasSubstr("position -3"));
}

TEST(RotaryEmbeddingLayer, RefusesPositionsAndSizesBeyondAllUse) {
  RotaryEmbedding rotary(4, 10000);
  for (const std::int64_t position : {std::int64_t{1} << 31, std::int64_t{1} << 62, INT64_MAX}) {
    EXPECT_EQ(
        message_of<ShapeError>([&] {
          rotary.forward(Variable(Tensor::ones({1, 2, 4})),
                         Tensor::from(std::vector{position}, {1}));
        }),
        "rotary_embedding: position " + std::to_string(position) + " is not below 2147483648");
  }
  EXPECT_EQ(message_of<ConfigError>([] { RotaryEmbedding(INT64_MAX - 1, 10000); }),
            "rotary_embedding: head_dim 9223372036854775806 is not a positive even number up to "
            "1048576");
}

}  // namespace
}  // namespace gladius::nn
