#include "gladius/autograd/ops/alm_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/autograd/ops/linear_losses.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// Chunks over most of N rows, the teacher's likelihoods among them 1 and 0.
AlmTargets random_chunks(Rng& rng, std::int64_t N, std::int64_t V) {
  std::vector<std::int64_t> tokens;
  for (std::int64_t i = 0; i < N; ++i) tokens.push_back(random_int(rng, 0, V - 1));
  AlmTargets targets{.tokens = Tensor::from(tokens, {N}), .chunks = {}};
  for (std::int64_t at = random_int(rng, 0, 1); at < N;) {
    const std::int64_t end = std::min(N, at + random_int(rng, 1, 4));
    const double likelihoods[] = {0, -1e-9, -0.5, -30, -INFINITY};
    targets.chunks.push_back({at, end, likelihoods[random_int(rng, 0, 4)]});
    at = end + random_int(rng, 0, 1);
  }
  return targets;
}

TEST(AlmLoss, GradientsAgreeWithDifferences) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (const std::int64_t N : {3l, 7l, static_cast<long>(kLinearLossRows) + 1}) {
    const std::int64_t V = random_int(rng, 2, 6);
    const AlmTargets targets = random_chunks(rng, N, V);
    const Tensor labels = Tensor::full({N}, random_int(rng, 0, 1) ? -100 : V - 1, Dtype::I64);
    const DistillationOptions options{
        .temperature = random_int(rng, 0, 1) ? 1.0 : 1.7,
        .alpha = 0.8,
        .reduction = random_int(rng, 0, 1) ? LossReduction::mean : LossReduction::batchmean,
        .sequences = 2};
    const double tau = random_int(rng, 0, 1) ? kAlmTau : 3;
    const Function loss = [&](const Inputs& in) {
      return linear_alm_loss(in[0], in[1], targets, labels, options, tau).loss;
    };
    EXPECT_NO_THROW(
        gradcheck(loss, leaves({random_tensor(rng, {N, 2}), random_tensor(rng, {V, 2})})));
  }
}

// One token of two entries, whose logits are z and 0; the loss and its gradient by z.
std::pair<double, double> of_two(double z, double log_teacher, Dtype dtype = Dtype::F64) {
  const Variable x(Tensor::from<double>({z}, {1, 1}).to(dtype), true);
  const Variable weight(Tensor::from<double>({1, 0}, {2, 1}).to(dtype));
  const AlmTargets targets{.tokens = Tensor::zeros({1}, Dtype::I64),
                           .chunks = {{0, 1, log_teacher}}};
  const DistillationLoss loss = linear_alm_loss(
      x, weight, targets, Tensor::full({1}, -100, Dtype::I64), {.temperature = 1, .alpha = 1});
  return {loss.kl, grad({loss.loss}, {x})[0].item()};
}

TEST(AlmLoss, OfAChunkIsTheFormula) {
  const double aT = std::log(0.3) / kAlmTau, aS = -std::log1p(std::exp(-0.5)) / kAlmTau;
  const double expected = -(std::exp(aT) * aS + (1 - std::exp(aT)) * std::log(1 - std::exp(aS)));
  EXPECT_NEAR(of_two(0.5, std::log(0.3)).first, expected, 1e-12);
  // The gradient is 0 where both find the chunk equally likely.
  EXPECT_NEAR(of_two(0.5, -std::log1p(std::exp(-0.5))).second, 0, 1e-12);
}

// 1 - p of the student has no digits in float32 from z = 17 on, and is 0 in float64 from 37 on.
TEST(AlmLoss, KeepsItsDigitsWhereTheStudentIsCertain) {
  for (const double z : {5.0, 17.0, 25.0, 40.0, 60.0}) {
    for (const double log_teacher : {0.0, -1e-6, -2.0}) {
      SCOPED_TRACE(::testing::Message() << "z " << z << ", teacher " << log_teacher);
      const double odds = std::exp(-z);  // -log p, for all but the first to the last digit
      const double aS = -std::log1p(odds) / kAlmTau, eT = std::exp(log_teacher / kAlmTau);
      const double unlikely = -std::expm1(log_teacher / kAlmTau);
      const double value = -(eT * aS + unlikely * std::log(-std::expm1(aS)));
      const double slope = (std::exp(aS) - eT) / -std::expm1(aS) / kAlmTau * odds / (1 + odds);
      for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
        const auto [loss, gradient] = of_two(z, log_teacher, dtype);
        EXPECT_NEAR(loss, value, 1e-6 * std::abs(value));
        EXPECT_NEAR(gradient, slope, 1e-5 * std::abs(slope));
      }
    }
  }
  // Beyond every number the loss stays finite.
  for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
    EXPECT_TRUE(std::isfinite(of_two(2000, -2, dtype).first));
    EXPECT_TRUE(std::isfinite(of_two(2000, -2, dtype).second));
    EXPECT_NEAR(of_two(2000, 0, dtype).first, 0, 1e-30);
    EXPECT_EQ(of_two(2000, 0, dtype).second, 0);
  }
}

// A chunk over the border of two blocks of rows is not divided.
TEST(AlmLoss, AChunkMayBeLongerThanABlock) {
  Rng rng(3);
  const std::int64_t N = 3 * kLinearLossRows;
  const Tensor x = random_tensor(rng, {N, 3}), weight = random_tensor(rng, {5, 3});
  AlmTargets targets = random_chunks(rng, N, 5);
  targets.chunks = {{1, N - 1, -700}};
  const Tensor labels = Tensor::full({N}, -100, Dtype::I64);
  const auto loss = linear_alm_loss(Variable(x, true), Variable(weight, true), targets, labels,
                                    {.temperature = 1, .alpha = 1});
  const auto tokens = targets.tokens.to_vector<std::int64_t>();
  std::vector<std::int64_t> inner = tokens;
  inner.front() = inner.back() = -100;
  const double nll =
      linear_cross_entropy(Variable(x), Variable(weight), Tensor::from(inner, {N})).item() *
      static_cast<double>(N - 2);
  const double aT = -700 / kAlmTau, aS = -nll / kAlmTau;
  EXPECT_NEAR(loss.kl, -(std::exp(aT) * aS + (1 - std::exp(aT)) * std::log(1 - std::exp(aS))),
              1e-9);
}

TEST(AlmLoss, WrongUse) {
  const auto loss = [](const Shape& tokens, std::vector<AlmChunk> chunks) {
    return [=] {
      linear_alm_loss(Variable(Tensor::ones({3, 2})), Variable(Tensor::ones({4, 2})),
                      {Tensor::full(tokens, 4, Dtype::I64), chunks},
                      Tensor::zeros({3}, Dtype::I64));
    };
  };
  EXPECT_EQ(message_of<ShapeError>(loss({2}, {})), "linear_alm_loss: tokens I64 [2] of 3 rows");
  EXPECT_EQ(message_of<ShapeError>(loss({3}, {{1, 2, 0}})),
            "linear_alm_loss: token 4 at row 1 is not in [0, 4)");
  EXPECT_THAT(message_of<ShapeError>(loss({3}, {{2, 4, 0}})), HasSubstr("chunk [2, 4)"));
  EXPECT_THAT(message_of<ShapeError>(loss({3}, {{1, 1, 0}})), HasSubstr("chunk [1, 1)"));
  EXPECT_NO_THROW(loss({3}, {})());
  EXPECT_THAT(message_of<ConfigError>([] {
                linear_alm_loss(Variable(Tensor::ones({1, 2})), Variable(Tensor::ones({4, 2})),
                                {Tensor::zeros({1}, Dtype::I64), {}},
                                Tensor::zeros({1}, Dtype::I64), {.divergence = Divergence::jsd});
              }),
              HasSubstr("linear_alm_loss: takes the place of the divergence"));
}

}  // namespace
}  // namespace gladius
