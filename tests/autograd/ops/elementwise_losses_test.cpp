// mse_loss and kl_div.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/softmax.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr LossReduction kAll[] = {LossReduction::none, LossReduction::mean, LossReduction::sum,
                                  LossReduction::batchmean};

std::vector<Shape> elementwise_shapes(Rng& rng) {
  std::vector<Shape> list{{}, {1}, {0, 3}, {3, 0}, {2, 300}};
  for (int i = 0; i < 12; ++i) list.push_back(random_shape(rng, random_int(rng, 1, 4), 1, 5));
  return list;
}

// `term` of each pair of elements, reduced, against the loss.
template <class Term>
void expect_terms(const Variable& loss, const Tensor& a, const Tensor& b, LossReduction reduction,
                  Term term) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  std::vector<double> terms;
  double total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    terms.push_back(term(x[i], y[i]));
    total += terms.back();
  }
  if (reduction == LossReduction::none) {
    return expect_near(loss.value(), Tensor::from(terms, a.shape()), 1e-12);
  }
  const double batch = a.dim() == 0 ? 1 : static_cast<double>(a.size(0));
  const double count = reduction == LossReduction::sum         ? 1
                       : reduction == LossReduction::batchmean ? batch
                                                               : static_cast<double>(x.size());
  expect_near(loss.value(), Tensor::scalar(total / count, Dtype::F64), 1e-12);
}

void expect_loss_gradients(const Function& loss, const std::vector<Tensor>& inputs) {
  const std::int64_t n = inputs[0].numel();
  if (n == 0) return;  // the mean of nothing is no number
  EXPECT_NO_THROW(gradcheck(loss, leaves(inputs)));
  if (n > 100) return;
  EXPECT_NO_THROW(gradgradcheck(loss, leaves(inputs)));
}

TEST(MseLoss, IsTheSquaredDifference) {
  Rng rng(1);
  for (const Shape& shape : elementwise_shapes(rng)) {
    for (const LossReduction reduction :
         {LossReduction::none, LossReduction::mean, LossReduction::sum}) {
      SCOPED_TRACE(to_string(shape) + " reduction " + std::to_string(static_cast<int>(reduction)));
      const Tensor x = random_view(rng, shape), y = random_view(rng, shape);
      const auto loss = [&](const Inputs& in) { return mse_loss(in[0], in[1], reduction); };
      expect_terms(loss({Variable(x), Variable(y)}), x, y, reduction,
                   [](double a, double b) { return (a - b) * (a - b); });
      expect_loss_gradients(loss, {x, y});
    }
  }
}

TEST(KlDiv, IsTheTermOfTheDivergence) {
  Rng rng(2);
  for (const Shape& shape : elementwise_shapes(rng)) {
    for (const LossReduction reduction : kAll) {
      for (const bool log_target : {false, true}) {
        SCOPED_TRACE(to_string(shape) + " reduction " +
                     std::to_string(static_cast<int>(reduction)) + (log_target ? " log" : ""));
        const Tensor x = random_view(rng, shape, -3, 0);
        const Tensor t = random_view(rng, shape, log_target ? -2 : 0.1, 1);
        const auto loss = [&](const Inputs& in) {
          return kl_div(in[0], in[1], reduction, log_target);
        };
        expect_terms(loss({Variable(x), Variable(t)}), x, t, reduction, [&](double a, double b) {
          return log_target ? std::exp(b) * (b - a) : b * (std::log(b) - a);
        });
        expect_loss_gradients(loss, {x, t});
      }
    }
  }
}

TEST(KlDiv, EntriesWithoutTargetContributeNothing) {
  const Variable x(Tensor::from<double>({-1, -2, -3}, {3}), true);
  const Variable target(Tensor::from<double>({0, 1, 0}, {3}), true);
  const Variable loss = kl_div(x, target, LossReduction::none);
  EXPECT_THAT(loss.value().to_vector<double>(), ::testing::ElementsAre(0, 2, 0));
  sum(loss).backward();
  EXPECT_THAT(x.grad().to_vector<double>(), ::testing::ElementsAre(0, -1, 0));
  EXPECT_THAT(target.grad().to_vector<double>(), ::testing::ElementsAre(1, 3, 3));
  EXPECT_TRUE(std::isnan(
      kl_div(x, Variable(Tensor::full({3}, -0.5, Dtype::F64)), LossReduction::sum).item()));
}

TEST(ElementwiseLosses, TakeTensorsAsTargets) {
  Rng rng(4);
  const Tensor x = random_view(rng, {2, 3}, -3, 0), y = random_view(rng, {2, 3}, 0.1, 1);
  for (const LossReduction reduction : {LossReduction::mean, LossReduction::sum}) {
    EXPECT_EQ(mse_loss(Variable(x), y, reduction).item(),
              mse_loss(Variable(x), Variable(y), reduction).item());
    for (const bool log_target : {false, true}) {
      EXPECT_EQ(kl_div(Variable(x), y, reduction, log_target).item(),
                kl_div(Variable(x), Variable(y), reduction, log_target).item());
    }
  }
}

// What distillation is made of when it is to be differentiated twice.
TEST(KlDiv, OfSoftenedLogitsIsTheDivergenceOfTheDistillationLoss) {
  Rng rng(3);
  const Tensor student = random_tensor(rng, {4, 6}), teacher = random_tensor(rng, {4, 6});
  const double T = 3;
  const Variable divergence =
      kl_div(log_softmax(Variable(student) * (1 / T)), softmax(Variable(teacher) * (1 / T)),
             LossReduction::batchmean) *
      (T * T);
  const DistillationLoss loss = distillation_loss(
      Variable(student), teacher, Tensor::zeros({4}, Dtype::I64), {.temperature = T});
  EXPECT_NEAR(divergence.item(), loss.kl, 1e-12);
}

TEST(ElementwiseLosses, WrongUse) {
  const Variable a(Tensor::ones({2, 3})), row(Tensor::ones({3})),
      wide(Tensor::ones({2, 3}, Dtype::F64)), half(Tensor::ones({2, 3}, Dtype::BF16));
  EXPECT_EQ(message_of<ShapeError>([&] { mse_loss(a, row); }),
            "mse_loss: input F32 [2, 3] and target F32 [3] differ in shape; expand one of them");
  EXPECT_EQ(message_of<ShapeError>([&] { kl_div(row, a); }),
            "kl_div: input F32 [3] and target F32 [2, 3] differ in shape; expand one of them");
  EXPECT_EQ(message_of<DtypeError>([&] { mse_loss(a, wide); }),
            "mse_loss: input F32 [2, 3] and target F64 [2, 3] differ in type; convert one of them");
  EXPECT_THAT(message_of<DtypeError>([&] { kl_div(a, wide); }), HasSubstr("kl_div: input F32"));
  EXPECT_THAT(message_of<DtypeError>([&] { mse_loss(half, half); }), HasSubstr("F32 or F64"));
  EXPECT_THAT(message_of<DtypeError>([&] { kl_div(half, half); }), HasSubstr("F32 or F64"));
  EXPECT_EQ(message_of<ConfigError>([&] { mse_loss(a, a, LossReduction::batchmean); }),
            "mse_loss: reduction batchmean; expected none, mean or sum");
}

}  // namespace
}  // namespace gladius
