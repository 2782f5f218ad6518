#include "gladius/autograd/ops/losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "autograd/ops/random_distillation.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/softmax.h"
#include "support/compositions.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr std::int64_t kIgnored = -100;
constexpr LossReduction kReductions[] = {LossReduction::none, LossReduction::mean,
                                         LossReduction::sum};

// About a third of them ignored; every second element of a larger tensor; I64 or I32.
Tensor random_labels(Rng& rng, std::int64_t N, std::int64_t V, std::int64_t ignore = kIgnored) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(2 * N));
  for (std::int64_t& label : list) {
    label = random_int(rng, 0, 2) == 0 ? ignore : random_int(rng, 0, V - 1);
  }
  return Tensor::from(list, {N, 2}).to(N % 2 == 0 ? Dtype::I32 : Dtype::I64).select(1, 0);
}

void expect_cross_entropy(Rng& rng, const Tensor& logits, const Tensor& labels,
                          std::int64_t ignore = kIgnored) {
  for (const LossReduction reduction : kReductions) {
    SCOPED_TRACE("reduction " + std::to_string(static_cast<int>(reduction)));
    const Function fused = [&](const Inputs& in) {
      return cross_entropy(in[0], labels, ignore, reduction);
    };
    const Function plain = [&](const Inputs& in) {
      return composed::cross_entropy(in[0], labels, ignore, reduction);
    };
    expect_same_function(rng, fused, plain, {logits});
    expect_float_agrees(rng, fused, plain, {logits});
  }
}

TEST(CrossEntropy, EqualsItsComposition) {
  Rng rng(1);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const std::int64_t N = random_int(rng, 1, 9), V = round == 0 ? 5001 : random_int(rng, 1, 40);
    const std::int64_t ignore = round % 3 == 0 ? V / 2 : kIgnored;
    expect_cross_entropy(rng, random_view(rng, {N, V}, -4, 4), random_labels(rng, N, V, ignore),
                         ignore);
  }
}

TEST(NllLoss, OfLogSoftmaxIsCrossEntropy) {
  Rng rng(21);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    const std::int64_t N = random_int(rng, 1, 9), V = random_int(rng, 1, 40);
    const std::int64_t ignore = round % 3 == 0 ? INT64_MAX : kIgnored;
    const Tensor logits = random_view(rng, {N, V}, -4, 4);
    const Tensor labels = random_labels(rng, N, V, round % 3 == 0 ? V - 1 : ignore);
    for (const LossReduction reduction : kReductions) {
      const Function parts = [&](const Inputs& in) {
        return nll_loss(log_softmax(in[0], 1), labels, ignore, reduction);
      };
      const Function fused = [&](const Inputs& in) {
        return cross_entropy(in[0], labels, ignore, reduction);
      };
      expect_same_function(rng, parts, fused, {logits});
    }
  }
  const Tensor log_probabilities = Tensor::from<double>({-INFINITY, -1, -2, -INFINITY}, {2, 2});
  const Tensor labels = Tensor::from<std::int32_t>({1, -100}, {2});
  EXPECT_EQ(nll_loss(Variable(log_probabilities), labels).item(), 1);
  EXPECT_THAT(message_of<ShapeError>(
                  [&] { nll_loss(Variable(log_probabilities), Tensor::full({2}, 2, Dtype::I64)); }),
              HasSubstr("nll_loss: label 2 at row 0 is not in [0, 2) nor -100"));
  EXPECT_EQ(message_of<ConfigError>([&] {
              nll_loss(Variable(log_probabilities), labels, -100, LossReduction::batchmean);
            }),
            "nll_loss: reduction batchmean; expected none, mean or sum");
}

TEST(CrossEntropy, WithoutLabelsIsZeroAndHasNoGradient) {
  for (const std::int64_t N : {0, 3}) {
    const Variable logits(Tensor::ones({N, 4}, Dtype::F64), true);
    const Variable loss = cross_entropy(logits, Tensor::full({N}, kIgnored, Dtype::I64));
    EXPECT_EQ(loss.item(), 0);
    loss.backward();
    expect_near(logits.grad(), Tensor::zeros({N, 4}, Dtype::F64), 0);
  }
}

TEST(CrossEntropy, IsStableForLargeLogits) {
  const Variable logits(Tensor::from<float>({20000, 10000, -20000}, {1, 3}), true);
  const Variable loss = cross_entropy(logits, Tensor::from<std::int64_t>({1}, {1}));
  EXPECT_EQ(loss.item(), 10000);
  loss.backward();
  EXPECT_THAT(logits.grad().to_vector<float>(), ::testing::ElementsAre(1, -1, 0));
}

TEST(CrossEntropy, EntriesOfMinusInfinityHaveNoProbability) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Variable logits(Tensor::from<float>({0, -infinity, 0}, {1, 3}), true);
  const Variable loss = cross_entropy(logits, Tensor::from<std::int64_t>({0}, {1}));
  EXPECT_FLOAT_EQ(static_cast<float>(loss.item()), std::log(2.0f));
  loss.backward();
  EXPECT_THAT(logits.grad().to_vector<float>(), ::testing::ElementsAre(-0.5f, 0, 0.5f));
}

TEST(CrossEntropy, GradientsAgreeWithDifferences) {
  Rng rng(2);
  for (const LossReduction reduction : kReductions) {
    for (const Shape& shape : {Shape{0, 3}, Shape{1, 1}, Shape{3, 4}, Shape{1, 300}}) {
      SCOPED_TRACE(to_string(shape) + " reduction " + std::to_string(static_cast<int>(reduction)));
      const Tensor labels = random_labels(rng, shape[0], shape[1]);
      const Function loss = [&](const Inputs& in) {
        return cross_entropy(in[0], labels, kIgnored, reduction);
      };
      EXPECT_NO_THROW(gradcheck(loss, leaves({random_view(rng, shape, -2, 2)})));
    }
  }
}

TEST(CrossEntropy, WrongUse) {
  const auto loss = [](const Shape& shape, const Tensor& labels) {
    return [=] { cross_entropy(Variable(Tensor::ones(shape)), labels); };
  };
  const auto labels = [](std::vector<std::int64_t> list) {
    return Tensor::from(list, {static_cast<std::int64_t>(list.size())});
  };
  EXPECT_EQ(message_of<ShapeError>(loss({2, 3}, labels({0, 3}))),
            "cross_entropy: label 3 at row 1 is not in [0, 3) nor -100");
  EXPECT_THAT(message_of<ShapeError>(loss({2, 3}, labels({-1, 0}))),
              HasSubstr("label -1 at row 0"));
  EXPECT_THAT(message_of<ShapeError>(loss({2, 3}, labels({0}))),
              HasSubstr("logits F32 [2, 3] and labels I64 [1]; expected [N, V] and [N]"));
  EXPECT_THAT(message_of<ShapeError>(loss({1, 2, 3}, labels({0}))), HasSubstr("F32 [1, 2, 3]"));
  EXPECT_EQ(message_of<DtypeError>(loss({1, 3}, labels({0}).to(Dtype::F32))),
            "cross_entropy: labels F32 [1]; expected I64 or I32");
  EXPECT_THAT(message_of<DtypeError>([&] {
                cross_entropy(Variable(Tensor::ones({1, 3}, Dtype::BF16)), labels({0}));
              }),
              HasSubstr("cross_entropy: arithmetic takes F32 or F64"));
  EXPECT_EQ(message_of<ConfigError>([&] {
              cross_entropy(Variable(Tensor::ones({1, 3})), labels({0}), kIgnored,
                            LossReduction::batchmean);
            }),
            "cross_entropy: reduction batchmean; expected none, mean or sum");
}

struct Distillation {
  Tensor student, teacher, labels;
  DistillationOptions options;

  Distillation(Rng& rng, std::int64_t N, std::int64_t V) {
    const testing::RandomDistillation random(rng, N, V);
    options = random.options;
    student = random_view(rng, {N, V}, -4, 4);
    teacher = random_view(rng, {N, random.width}, -4, 4);
    labels = random_labels(rng, N, V);
  }

  Function fused() const {
    return [*this](const Inputs& in) {
      return distillation_loss(in[0], teacher, labels, options).loss;
    };
  }
  Function composition() const {
    return [*this](const Inputs& in) {
      return composed::distillation_loss(in[0], teacher, labels, options);
    };
  }
};

TEST(DistillationLoss, EqualsItsComposition) {
  Rng rng(3);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const Distillation d(rng, random_int(rng, 1, 7), round == 0 ? 3001 : random_int(rng, 1, 30));
    expect_same_function(rng, d.fused(), d.composition(), {d.student});
    expect_float_agrees(rng, d.fused(), d.composition(), {d.student}, 5e-5);
    const DistillationLoss loss =
        distillation_loss(Variable(d.student), d.teacher, d.labels, d.options);
    const Variable student(d.student);
    EXPECT_NEAR(loss.kl, composed::divergence(student, d.teacher, d.labels, d.options).item(),
                1e-10);
    EXPECT_NEAR(loss.ce, composed::cross_entropy(student, d.labels, kIgnored).item(), 1e-10);
  }
}

TEST(DistillationLoss, GradientsAgreeWithDifferences) {
  Rng rng(4);
  for (int round = 0; round < 5; ++round) {
    Distillation d(rng, 3, 5);
    for (const Divergence divergence :
         {Divergence::forward_kl, Divergence::reverse_kl, Divergence::jsd, Divergence::skew_kl}) {
      d.options.divergence = divergence;
      EXPECT_NO_THROW(gradcheck(d.fused(), leaves({d.student})));
    }
  }
}

// As an update of two micro-batches, with the terms of both as divisors, and the update as one.
TEST(DistillationLoss, PartsOfALossAddUpToIt) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int round = 0; round < 20; ++round) {
    const std::int64_t N = random_int(rng, 2, 9), first = random_int(rng, 1, N - 1);
    Distillation d(rng, N, 7);
    d.options.reduction = LossReduction::mean;
    d.options.divisors = {}, d.options.compared = {};
    const DistillationLoss whole =
        distillation_loss(Variable(d.student), d.teacher, d.labels, d.options);
    const auto list = d.labels.to_vector<std::int64_t>();
    const auto labelled = std::max<std::int64_t>(1, N - std::ranges::count(list, kIgnored));
    d.options.divisors = {labelled, d.options.labelled_only ? labelled : N};
    double sum = 0;
    for (const auto& [begin, rows] : {std::pair{std::int64_t{0}, first}, {first, N - first}}) {
      sum += distillation_loss(Variable(d.student.narrow(0, begin, rows)),
                               d.teacher.narrow(0, begin, rows), d.labels.narrow(0, begin, rows),
                               d.options)
                 .loss.item();
    }
    EXPECT_NEAR(sum, whole.loss.item(), 1e-12 * (1 + std::abs(sum)));
  }
}

TEST(DistillationLoss, OfEqualLogitsHasNoDivergence) {
  Rng rng(5);
  const Variable student(random_tensor(rng, {4, 9}), true);
  const DistillationLoss loss =
      distillation_loss(student, student.value(), Tensor::full({4}, kIgnored, Dtype::I64));
  EXPECT_NEAR(loss.kl, 0, 1e-12);
  EXPECT_EQ(loss.ce, 0);
  expect_near(grad({loss.loss}, {student})[0].value(), Tensor::zeros({4, 9}, Dtype::F64), 1e-12);
}

TEST(DistillationLoss, OfNoTokensIsZero) {
  const Variable student(Tensor::ones({0, 4}), true);
  const DistillationLoss loss =
      distillation_loss(student, Tensor::ones({0, 4}), Tensor::zeros({0}, Dtype::I64));
  EXPECT_EQ(loss.loss.item(), 0);
  EXPECT_EQ(grad({loss.loss}, {student})[0].shape(), (Shape{0, 4}));
}

TEST(DistillationLoss, TakesATeacherOf16Bits) {
  Rng rng(6);
  const Variable student(random_tensor(rng, {3, 8}, -2, 2, Dtype::F32));
  const Tensor teacher = random_tensor(rng, {3, 8}, -2, 2, Dtype::BF16);
  const Tensor labels = random_labels(rng, 3, 8);
  EXPECT_EQ(distillation_loss(student, teacher, labels).kl,
            distillation_loss(student, teacher.to(Dtype::F32), labels).kl);
}

TEST(DistillationLoss, WrongUse) {
  const auto loss = [](const Shape& teacher, const DistillationOptions& options = {}) {
    return [=] {
      distillation_loss(Variable(Tensor::ones({2, 4})), Tensor::ones(teacher),
                        Tensor::zeros({2}, Dtype::I64), options);
    };
  };
  EXPECT_EQ(message_of<ShapeError>(loss({2, 5})),
            "distillation_loss: student F32 [2, 4] and teacher F32 [2, 5] over 4 entries");
  EXPECT_THAT(message_of<ShapeError>(loss({3, 4})), HasSubstr("teacher F32 [3, 4]"));
  EXPECT_THAT(message_of<ShapeError>(loss({8})), HasSubstr("teacher F32 [8]"));
  EXPECT_THAT(message_of<ShapeError>(loss({2, 3}, {.vocabulary = 4})), HasSubstr("over 4 entries"));
  EXPECT_THAT(message_of<ShapeError>(loss({2, 9}, {.vocabulary = 5})), HasSubstr("over 5 entries"));
  EXPECT_THAT(message_of<ShapeError>(loss({2, 4}, {.vocabulary = -1})), HasSubstr("over -1"));
  EXPECT_THAT(message_of<ConfigError>(loss({2, 4}, {.temperature = 0})),
              HasSubstr("temperature 0 is not positive"));
  for (const Divergence divergence : {Divergence::jsd, Divergence::skew_kl}) {
    for (const double beta : {0.0, 1.0, -0.5, std::nan("")}) {
      EXPECT_THAT(message_of<ConfigError>(loss({2, 4}, {.divergence = divergence, .beta = beta})),
                  HasSubstr("is not between 0 and 1"));
    }
  }
  EXPECT_EQ(message_of<ConfigError>(loss({2, 4}, {.reduction = LossReduction::none})),
            "distillation_loss: reduction none; expected mean or batchmean");
  EXPECT_EQ(message_of<ConfigError>(loss({2, 4}, {.reduction = LossReduction::sum})),
            "distillation_loss: reduction sum; expected mean or batchmean");
  EXPECT_THAT(message_of<ShapeError>([] {
                distillation_loss(Variable(Tensor::ones({2, 4})), Tensor::ones({2, 4}),
                                  Tensor::full({2}, 4, Dtype::I64));
              }),
              HasSubstr("distillation_loss: label 4 at row 0"));
}

// Both keep the gradient from the forward pass; it must survive being asked for again.
TEST(Losses, RetainedGraphsGiveTheSameGradientsAgain) {
  Rng rng(7);
  const Distillation d(rng, 4, 11);
  const std::vector<Function> losses{
      d.fused(), [&](const Inputs& in) { return cross_entropy(in[0], d.labels); }};
  for (const Function& function : losses) {
    const Variable logits(d.student, true);
    const Variable loss = function({logits});
    const Variable seed(Tensor::scalar(0.25, Dtype::F64));
    const Tensor first = grad({loss}, {logits}, {seed}, /*retain_graph=*/true)[0].value();
    const Tensor second = grad({loss}, {logits}, {seed}, /*retain_graph=*/true)[0].value();
    const Tensor last = grad({loss}, {logits}, {seed})[0].value();
    EXPECT_EQ(first.to_vector<double>(), second.to_vector<double>());
    EXPECT_EQ(first.to_vector<double>(), last.to_vector<double>());
    EXPECT_THAT(message_of<GraphError>([&] { loss.backward(); }), HasSubstr("retain_graph"));
  }
}

TEST(Losses, AreScaledByWhatFollowsThem) {
  Rng rng(8);
  const Distillation d(rng, 4, 11);
  const Variable logits(d.student, true);
  const Tensor whole = grad({d.fused()({logits})}, {logits})[0].value();
  (d.fused()({logits}) * 0.125).backward();
  expect_near(logits.grad(), (Variable(whole) * 0.125).value(), 1e-15);
}

TEST(Losses, DoNotKeepTheLogits) {
  Rng rng(13);
  const Distillation d(rng, 3, 5);
  const Variable logits(d.student.clone(), true);
  const auto holders = logits.value().storage().use_count();
  const Variable cross = cross_entropy(logits, d.labels), distilled = d.fused()({logits});
  EXPECT_EQ(logits.value().storage().use_count(), holders);
}

TEST(Losses, RecordNothingWithoutGradients) {
  Rng rng(9);
  const Distillation d(rng, 3, 5);
  const Variable logits(d.student, true);
  const double recorded = d.fused()({logits}).item();
  const NoGrad no_grad;
  const Variable loss = d.fused()({logits});
  EXPECT_FALSE(loss.requires_grad());
  EXPECT_EQ(loss.item(), recorded);
}

TEST(CrossEntropy, IsDifferentiableTwice) {
  Rng rng(10);
  for (const LossReduction reduction : kReductions) {
    for (const Shape& shape : {Shape{0, 3}, Shape{1, 1}, Shape{1, 5}, Shape{4, 3}}) {
      SCOPED_TRACE(to_string(shape) + " reduction " + std::to_string(static_cast<int>(reduction)));
      const Tensor labels = random_labels(rng, shape[0], shape[1]);
      const Function loss = [&](const Inputs& in) {
        return cross_entropy(in[0], labels, kIgnored, reduction);
      };
      expect_twice_differentiable(loss, {random_view(rng, shape, -2, 2)});
      // The gradient of the gradient is differentiable as well.
      const Function gradient_norm = [&](const Inputs& in) {
        const EnableGrad enable;
        const Variable g = grad({sum(loss(in))}, {in[0]}, {}, false, /*create_graph=*/true)[0];
        return sum(g * g);
      };
      EXPECT_NO_THROW(gradgradcheck(gradient_norm, leaves({random_view(rng, shape, -2, 2)})));
    }
  }
}

// The second derivative is made of a gradient that a later pass may take for itself.
TEST(CrossEntropy, SecondDerivativesOutliveTheGraphOfTheLoss) {
  Rng rng(11);
  const Variable logits(random_tensor(rng, {2, 3}), true);
  const Variable loss = cross_entropy(logits, Tensor::from<std::int64_t>({0, 2}, {2}));
  const auto penalty = [&] {
    const Variable g = grad({loss}, {logits}, {}, false, /*create_graph=*/true)[0];
    return sum(g * g);
  };
  const Tensor expected = grad({penalty()}, {logits})[0].value();
  const Variable kept = penalty();
  loss.backward(Variable(Tensor::scalar(3, Dtype::F64)));
  expect_near(grad({kept}, {logits})[0].value(), expected, 1e-15);
}

TEST(DistillationLoss, IsDifferentiableOnce) {
  Rng rng(12);
  const Distillation d(rng, 3, 5);
  const Variable student(d.student, true);
  EXPECT_THAT(message_of<GraphError>([&] {
                grad({d.fused()({student})}, {student}, {}, false, /*create_graph=*/true);
              }),
              HasSubstr("backward of distillation_loss: it does not keep the logits that a second "
                        "derivative needs; compose it of"));
}

}  // namespace
}  // namespace gladius
