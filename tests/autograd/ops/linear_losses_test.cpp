#include "gladius/autograd/ops/linear_losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/ops/random_distillation.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/matmul.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr std::int64_t kIgnoredTarget = -100;

// Rows of a batch, about a third without a label, and what makes their logits.
struct Problem {
  Tensor x, weight, teacher, labels;
  DistillationOptions options;

  Problem(Rng& rng, std::int64_t N, std::int64_t V, std::int64_t C) {
    std::vector<std::int64_t> list(static_cast<std::size_t>(2 * N));
    for (std::int64_t& label : list) {
      label = random_int(rng, 0, 2) == 0 ? kIgnoredTarget : random_int(rng, 0, V - 1);
    }
    labels = Tensor::from(list, {N, 2}).to(N % 2 == 0 ? Dtype::I32 : Dtype::I64).select(1, 0);
    x = random_view(rng, {N, C}, -2, 2);
    weight = random_view(rng, {V, C}, -1, 1);
    const testing::RandomDistillation random(rng, N, V);
    options = random.options;
    teacher = random_view(rng, {N, random.width}, -4, 4);
  }

  DistillationLoss distilled(const Inputs& in) const {
    return linear_distillation_loss(in[0], in[1], rows_of(teacher, labels.numel()), labels,
                                    options);
  }
  // With the layer and the loss one by one, and fused.
  std::vector<std::pair<Function, Function>> functions() const {
    return {{[this](const Inputs& in) { return linear_cross_entropy(in[0], in[1], labels); },
             [this](const Inputs& in) { return cross_entropy(linear(in[0], in[1]), labels); }},
            {[this](const Inputs& in) { return distilled(in).loss; },
             [this](const Inputs& in) {
               return distillation_loss(linear(in[0], in[1]), teacher, labels, options).loss;
             }}};
  }
};

// Some within a block, some of several.
std::vector<std::int64_t> numbers_of_rows(Rng& rng) {
  return {0,
          1,
          random_int(rng, 2, 40),
          kLinearLossRows,
          kLinearLossRows + 1,
          random_int(rng, kLinearLossRows + 2, 4 * kLinearLossRows)};
}

TEST(LinearLosses, EqualTheLayerAndTheLoss) {
  Rng rng(1);
  for (int round = 0; round < 4; ++round) {
    for (const std::int64_t N : numbers_of_rows(rng)) {
      SCOPED_TRACE("round " + std::to_string(round) + ", rows " + std::to_string(N));
      const Problem problem(rng, N, random_int(rng, 1, 30), random_int(rng, 1, 9));
      for (const auto& [fused, apart] : problem.functions()) {
        expect_same_function(rng, fused, apart, {problem.x, problem.weight});
        expect_float_agrees(rng, fused, apart, {problem.x, problem.weight}, 5e-5);
      }
      const DistillationLoss fused = problem.distilled(leaves({problem.x, problem.weight}));
      const DistillationLoss apart =
          distillation_loss(linear(Variable(problem.x), Variable(problem.weight)), problem.teacher,
                            problem.labels, problem.options);
      EXPECT_NEAR(fused.kl, apart.kl, 1e-10 * (1 + apart.kl));
      EXPECT_NEAR(fused.ce, apart.ce, 1e-10 * (1 + apart.ce));
    }
  }
}

TEST(LinearLosses, GradientsAgreeWithDifferences) {
  Rng rng(2);
  for (const std::int64_t N : {3l, static_cast<long>(kLinearLossRows) + 1}) {
    const Problem problem(rng, N, 5, 2);
    for (const auto& [fused, apart] : problem.functions()) {
      EXPECT_NO_THROW(gradcheck(fused, leaves({problem.x, problem.weight})));
    }
  }
}

// With the number of labels of a whole that it is a part of.
TEST(LinearLosses, ACrossEntropyMayBeDividedByAnotherNumber) {
  Rng rng(11);
  for (const std::int64_t N : {4l, static_cast<long>(kLinearLossRows) + 3}) {
    const Problem problem(rng, N, 6, 3);
    const Function fused = [&](const Inputs& in) {
      return linear_cross_entropy(in[0], in[1], problem.labels, kIgnoredTarget, 17);
    };
    const Function apart = [&](const Inputs& in) {
      return cross_entropy(linear(in[0], in[1]), problem.labels, kIgnoredTarget,
                           LossReduction::sum) *
             (1.0 / 17);
    };
    expect_same_function(rng, fused, apart, {problem.x, problem.weight});
    if (N == 4) expect_twice_differentiable(fused, {problem.x, problem.weight});
  }
}

TEST(LinearLosses, CrossEntropyIsTwiceDifferentiable) {
  Rng rng(3);
  const Problem problem(rng, 4, 5, 3);
  expect_twice_differentiable(problem.functions()[0].first, {problem.x, problem.weight});
}

// With several blocks the gradients come from another place than the recorded ones.
TEST(LinearLosses, RecordedGradientsOfSeveralBlocksAreTheSame) {
  Rng rng(4);
  const Problem problem(rng, kLinearLossRows + 7, 6, 3);
  const Inputs inputs = leaves({problem.x, problem.weight});
  const Variable loss = problem.functions()[0].first(inputs);
  const std::vector<Variable> recorded = grad({loss}, inputs, {}, true, true);
  const std::vector<Variable> plain = grad({loss}, inputs);
  for (std::size_t i = 0; i < 2; ++i) expect_near(plain[i].value(), recorded[i].value(), 1e-12);
}

TEST(LinearLosses, ADistillationIsDifferentiableOnce) {
  Rng rng(5);
  const Problem problem(rng, 3, 5, 2);
  const Inputs inputs = leaves({problem.x, problem.weight});
  const Variable loss = problem.distilled(inputs).loss;
  EXPECT_THAT(message_of<GraphError>([&] { grad({loss}, inputs, {}, true, true); }),
              HasSubstr("backward of linear_distillation_loss: it does not keep the logits"));
}

TEST(LinearLosses, RetainedGraphsGiveTheSameGradientsAgain) {
  Rng rng(6);
  for (const std::int64_t N : numbers_of_rows(rng)) {
    SCOPED_TRACE(N);
    const Problem problem(rng, N, 7, 3);
    for (const auto& [fused, apart] : problem.functions()) {
      const Inputs inputs = leaves({problem.x, problem.weight});
      const Variable loss = fused(inputs);
      const Variable seed(Tensor::scalar(0.25, Dtype::F64));
      const auto first = grad({loss}, inputs, {seed}, /*retain_graph=*/true);
      const auto second = grad({loss}, inputs, {seed}, /*retain_graph=*/true);
      const auto last = grad({loss}, inputs, {seed});
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto values = first[i].value().to_vector<double>();
        EXPECT_EQ(values, second[i].value().to_vector<double>());
        EXPECT_EQ(values, last[i].value().to_vector<double>());
      }
      EXPECT_THAT(message_of<GraphError>([&] { loss.backward(); }), HasSubstr("retain_graph"));
    }
  }
}

// As over the micro-batches of an update; x is made of the weight too, as where it is tied to the
// embeddings.
TEST(LinearLosses, GradientsAddUpInAWeightThatIsUsedElsewhere) {
  Rng rng(7);
  for (const std::int64_t N : numbers_of_rows(rng)) {
    SCOPED_TRACE(N);
    const Problem problem(rng, N, 6, 6);
    for (const auto& [fused, apart] : problem.functions()) {
      const auto total = [&](const Function& loss) {
        const Variable weight(problem.weight.clone(), true);
        for (const double share : {0.25, 0.5}) {
          const Variable x = linear(Variable(problem.x), weight);
          loss({x, weight}).backward(Variable(Tensor::scalar(share, Dtype::F64)));
        }
        return weight.grad();
      };
      expect_near(total(fused), total(apart), 1e-11);
    }
  }
}

TEST(LinearLosses, TakeFrozen16BitWeights) {
  Rng rng(8);
  for (const std::int64_t N : numbers_of_rows(rng)) {
    SCOPED_TRACE(N);
    const Problem problem(rng, N, 9, 5);
    const Tensor half = problem.weight.to(Dtype::BF16);
    const Variable x(problem.x.to(Dtype::F32), true);
    for (const auto& [fused, apart] : problem.functions()) {
      const Variable actual = fused({x, Variable(half)});
      const Variable expected = fused({x, Variable(half.to(Dtype::F32))});
      expect_near(actual.value(), expected.value(), 1e-5);
      expect_near(grad({actual}, {x})[0].value(), grad({expected}, {x})[0].value(), 1e-5);
    }
  }
}

TEST(LinearLosses, WithoutGradientsNothingIsKept) {
  Rng rng(9);
  const Problem problem(rng, kLinearLossRows + 1, 6, 3);
  const Inputs inputs = leaves({problem.x, problem.weight});
  for (const auto& [fused, apart] : problem.functions()) {
    const NoGrad no_grad;
    const Variable loss = fused(inputs);
    EXPECT_FALSE(loss.requires_grad());
    expect_near(loss.value(), apart(inputs).value(), 1e-12);
  }
}

TEST(LinearLosses, TheTeacherIsAskedForEachRowOnceInBlocks) {
  Rng rng(10);
  const std::int64_t N = 2 * kLinearLossRows + 1;
  const Problem problem(rng, N, 6, 3);
  std::vector<std::pair<std::int64_t, std::int64_t>> asked;
  const LogitRows teacher = [&](std::int64_t begin, std::int64_t end) {
    asked.emplace_back(begin, end);
    return problem.teacher.narrow(0, begin, end - begin);
  };
  linear_distillation_loss(Variable(problem.x), Variable(problem.weight), teacher, problem.labels,
                           problem.options);
  EXPECT_THAT(asked, ElementsAre(Pair(0, 341), Pair(341, 683), Pair(683, 1025)));
}

TEST(LinearLosses, WrongUse) {
  const auto loss = [](const Shape& x, const Shape& weight, std::vector<std::int64_t> labels) {
    return [=] {
      const auto N = static_cast<std::int64_t>(labels.size());
      linear_cross_entropy(Variable(Tensor::ones(x)), Variable(Tensor::ones(weight)),
                           Tensor::from(labels, {N}));
    };
  };
  EXPECT_EQ(
      message_of<ShapeError>(loss({2, 3}, {4, 3}, {1})),
      "linear_cross_entropy: input F32 [2, 3], weight F32 [4, 3] and labels I64 [1]; expected "
      "[N, C], [V, C] and [N]");
  EXPECT_THAT(message_of<ShapeError>(loss({1, 2, 3}, {4, 3}, {1})), HasSubstr("F32 [1, 2, 3]"));
  EXPECT_THAT(message_of<ShapeError>(loss({1, 3}, {3}, {1})), HasSubstr("weight F32 [3]"));
  EXPECT_EQ(message_of<ShapeError>(loss({2, 3}, {4, 2}, {1, 1})),
            "linear: input [2, 3] does not fit weight [4, 2]");
  EXPECT_EQ(message_of<ShapeError>(loss({2, 3}, {4, 3}, {0, 4})),
            "linear_cross_entropy: label 4 at row 1 is not in [0, 4) nor -100");
  const auto distilled = [](const Shape& teacher, const DistillationOptions& options = {}) {
    return [=] {
      linear_distillation_loss(
          Variable(Tensor::ones({2, 3})), Variable(Tensor::ones({4, 3})),
          [&](std::int64_t, std::int64_t) { return Tensor::ones(teacher); },
          Tensor::zeros({2}, Dtype::I64), options);
    };
  };
  EXPECT_EQ(message_of<ShapeError>(distilled({2, 5})),
            "linear_distillation_loss: student F32 [2, 4] and teacher F32 [2, 5] over 4 entries");
  EXPECT_THAT(message_of<ShapeError>(distilled({3, 4})), HasSubstr("teacher F32 [3, 4]"));
  EXPECT_THAT(message_of<ConfigError>(distilled({2, 4}, {.temperature = 0})),
              HasSubstr("linear_distillation_loss: temperature 0 is not positive"));
  EXPECT_EQ(message_of<ShapeError>([] {
              rows_of(Tensor::ones({5, 4}), 2);
            }),
            "rows_of: logits F32 [5, 4] are not 2 rows");
}

}  // namespace
}  // namespace gladius
