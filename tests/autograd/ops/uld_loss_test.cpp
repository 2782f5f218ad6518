#include "gladius/autograd/ops/uld_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/autograd/ops/views.h"
#include "support/differentiable.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;

std::vector<std::int64_t> random_rows(Rng& rng, std::int64_t N, std::int64_t teacher_rows) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < N; ++i) rows.push_back(random_int(rng, -1, teacher_rows - 1));
  return rows;
}

// The seed is fixed, as now and then a step crosses a place where the order changes.
TEST(UldLoss, GradientsAgreeWithDifferences) {
  Rng rng(1);
  for (const std::int64_t N : {3l, 7l, static_cast<long>(kLinearLossRows) + 1}) {
    const std::int64_t V = random_int(rng, 2, 6), T = random_int(rng, 1, 200);
    const Tensor teacher = random_tensor(rng, {T, 4}, -3, 3);
    const std::vector<std::int64_t> rows = random_rows(rng, N, T);
    const Tensor labels = Tensor::full({N}, random_int(rng, 0, 1) ? -100 : V - 1, Dtype::I64);
    const DistillationOptions options{
        .temperature = random_int(rng, 0, 1) ? 1.0 : 1.7,
        .alpha = 0.8,
        .reduction = random_int(rng, 0, 1) ? LossReduction::mean : LossReduction::batchmean,
        .sequences = 2};
    const Function loss = [&](const Inputs& in) {
      return linear_uld_loss(in[0], in[1], rows_of(teacher, T), rows, labels, options).loss;
    };
    EXPECT_NO_THROW(
        gradcheck(loss, leaves({random_tensor(rng, {N, 2}), random_tensor(rng, {V, 2})})));
  }
}

// By hand: the student's (1/2, 1/3, 1/6) in another order beside (0.7, 0.2, 0.06, 0.04).
TEST(UldLoss, ComparesByRank) {
  const auto logs = [](std::vector<double> p) {
    for (double& x : p) x = std::log(x);
    return Tensor::from(p, {1, std::ssize(p)});
  };
  const Tensor student = logs({1.0 / 6, 0.5, 1.0 / 3});
  const Tensor teacher = logs({0.04, 0.2, 0.7, 0.06});
  const auto loss = [&](std::int64_t row, double temperature) {
    return linear_uld_loss(Variable(Tensor::ones({1, 1}, Dtype::F64)),
                           Variable(student.transpose(0, 1)), rows_of(teacher, 1), std::vector{row},
                           Tensor::full({1}, -100, Dtype::I64),
                           {.temperature = temperature, .alpha = 1})
        .kl;
  };
  EXPECT_NEAR(loss(0, 1), 0.2 + (1.0 / 3 - 0.2) + (1.0 / 6 - 0.06) + 0.04, 1e-12);
  EXPECT_EQ(loss(-1, 1), 0);  // not compared
}

// Of more entries than fit a comparison sort: against one.
TEST(UldLoss, SortsLargeVocabularies) {
  for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
    Rng rng(2);
    const Tensor student = random_tensor(rng, {5000, 1}, -20, 5, dtype);
    const Tensor teacher = random_tensor(rng, {1, 9000}, -20, 5, dtype);
    const auto sorted = [](const Tensor& logits) {
      auto p = logits.to_vector<double>();
      double sum = 0;
      for (double& x : p) sum += x = std::exp(x);
      for (double& x : p) x /= sum;
      p.resize(9000);
      std::ranges::sort(p, std::greater());
      return p;
    };
    const std::vector<double> p = sorted(student), q = sorted(teacher);
    double expected = 0;
    for (std::size_t i = 0; i < p.size(); ++i) expected += std::abs(p[i] - q[i]);
    const DistillationLoss loss =
        linear_uld_loss(Variable(Tensor::ones({1, 1}, dtype)), Variable(student),
                        rows_of(teacher, 1), std::vector<std::int64_t>{0},
                        Tensor::full({1}, -100, Dtype::I64), {.temperature = 1, .alpha = 1});
    EXPECT_NEAR(loss.kl, expected, dtype == Dtype::F64 ? 1e-12 : 1e-5);
  }
}

// Only by what is there: the order of the entries on either side does not matter.
TEST(UldLoss, DoesNotDependOnTheOrderOfEntries) {
  Rng rng(4);
  const std::int64_t N = 30, T = 150;
  const Tensor x = random_tensor(rng, {N, 3}), weight = random_tensor(rng, {40, 3});
  const Tensor teacher = random_tensor(rng, {T, 70}, -4, 4);
  const std::vector<std::int64_t> rows = random_rows(rng, N, T);
  const auto loss = [&](const Tensor& w, const Tensor& logits) {
    return linear_uld_loss(Variable(x), Variable(w), rows_of(logits, T), rows,
                           Tensor::full({N}, -100, Dtype::I64))
        .kl;
  };
  const auto reversed = [](const Tensor& tensor, std::int64_t dim) {
    std::vector<std::int64_t> order;
    for (std::int64_t i = tensor.size(dim) - 1; i >= 0; --i) order.push_back(i);
    const std::int64_t size = tensor.size(dim);
    return index_select(Variable(tensor), dim, Tensor::from(order, {size})).value();
  };
  EXPECT_NEAR(loss(weight, teacher), loss(reversed(weight, 0), reversed(teacher, 1)), 1e-12);
}

TEST(UldLoss, WrongUse) {
  const auto loss = [](std::vector<std::int64_t> rows) {
    return [=] {
      linear_uld_loss(Variable(Tensor::ones({2, 3})), Variable(Tensor::ones({4, 3})),
                      rows_of(Tensor::ones({5, 6}), 5), rows, Tensor::zeros({2}, Dtype::I64));
    };
  };
  EXPECT_EQ(message_of<ShapeError>(loss({1})),
            "linear_uld_loss: 1 of the teacher's rows for 2 of the student's");
  EXPECT_THROW(loss({0, 5})(), Error);
  EXPECT_NO_THROW(loss({-1, -1})());
  EXPECT_THAT(message_of<ConfigError>([] {
                linear_uld_loss(Variable(Tensor::ones({1, 3})), Variable(Tensor::ones({4, 3})),
                                rows_of(Tensor::ones({5, 6}), 5), std::vector<std::int64_t>{0},
                                Tensor::zeros({1}, Dtype::I64), {.divergence = Divergence::jsd});
              }),
              HasSubstr("linear_uld_loss: takes the place of the divergence"));
}

}  // namespace
}  // namespace gladius
