// Dropout: what is zero, what is scaled, and the gradients.
#include "gladius/autograd/ops/dropout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "gladius/tensor/parallel.h"
#include "support/gradients.h"

namespace gladius {
namespace {

using namespace testing;

TEST(Dropout, ScalesWhatItKeepsAndKeepsTheShareItSays) {
  const std::int64_t n = 100'000;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    for (const double p : {0.0, 0.1, 0.5, 0.9}) {
      SCOPED_TRACE("p " + std::to_string(p));
      Generator generator(3);
      const Tensor y = dropout(Variable(Tensor::full({n}, 3, dtype)), p, generator).value();
      EXPECT_EQ(y.dtype(), dtype);
      double zeros = 0;
      for (const double value : y.to_vector<double>()) {
        zeros += value == 0;
        ASSERT_NEAR(value, value == 0 ? 0 : 3 / (1 - p), 1e-5);
      }
      // Five standard deviations.
      EXPECT_NEAR(zeros / n, p, 5 * std::sqrt(p * (1 - p) / n));
    }
  }
}

TEST(Dropout, GradientsAgreeWithDifferences) {
  Rng rng(1);
  for (const Shape& shape : gradient_shapes(rng)) {
    SCOPED_TRACE(to_string(shape));
    const Function call = [](const Inputs& in) {
      Generator generator(7);  // the same elements each time
      return dropout(in[0] * in[0], 0.4, generator);
    };
    const Tensor x = random_view(rng, shape);
    expect_gradients(call, leaves({x}));
    expect_float_agrees(rng, call, call, {x});
  }
}

TEST(Dropout, ChoosesTheSameElementsForAnyThreadCountAndStrides) {
  const int before = num_threads();
  Rng rng(2);
  const Tensor x = random_tensor(rng, {301, 333}, 1, 2);
  std::vector<std::vector<double>> results;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    Generator generator(11);
    results.push_back(dropout(Variable(x), 0.3, generator).value().to_vector<double>());
    EXPECT_EQ(generator.state(), (Generator::State{11, 301 * 333}));
    generator.manual_seed(11);
    const Tensor strided = x.transpose(0, 1).clone().transpose(0, 1);
    results.push_back(dropout(Variable(strided), 0.3, generator).value().to_vector<double>());
  }
  set_num_threads(before);
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

// As PyTorch's.
TEST(Dropout, OfEverythingOrOutsideOfTraining) {
  const Variable x(Tensor::ones({4}), true);
  Generator generator(5);
  EXPECT_EQ(dropout(x, 0.5, generator, false).node(), x.node());
  EXPECT_EQ(generator.state(), (Generator::State{5, 0}));
  const Variable y = dropout(x, 1, generator);
  sum(y).backward();
  EXPECT_EQ(y.value().to_vector<float>(), std::vector<float>(4, 0));
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(4, 0));
  for (const double p : {-0.1, 1.5, std::nan("")}) {
    for (const bool training : {true, false}) {
      EXPECT_THAT(message_of([&] { dropout(x, p, generator, training); }),
                  ::testing::HasSubstr("dropout: F32 [4] with a probability of "));
    }
  }
  EXPECT_EQ(message_of<DtypeError>([&] { dropout(Variable(Tensor::arange(2)), 0.5); }),
            "dropout: arithmetic takes F32 or F64, not I64; convert with to()");
}

}  // namespace
}  // namespace gladius
