#include "gladius/autograd/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/elementwise.h"
#include "support/leaf.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::leaf;
using testing::message_of;

std::vector<double> values(const Tensor& tensor) { return tensor.to_vector<double>(); }

TEST(Backward, AddsUpOverPathsAndPasses) {
  const Variable x = leaf({1, 2, 3});
  const Variable y = x * x + x * 3;  // dy/dx = 2x + 3
  sum(y).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{5, 7, 9}));
  sum(x * x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{7, 11, 15}));
}

TEST(Backward, TakesASeed) {
  const Variable x = leaf({1, 2});
  (x * x).backward(Variable(Tensor::from<double>({10, 100}, {2})));
  EXPECT_EQ(values(x.grad()), (std::vector<double>{20, 400}));
}

TEST(Backward, GradientsOfOneTensorUsedTwiceDoNotShareMemory) {
  const Variable a = leaf({1});
  const Variable b = leaf({2});
  (a + b).backward();
  a.grad().fill_(7);
  EXPECT_EQ(values(b.grad()), (std::vector<double>{1}));
}

TEST(Backward, WithoutSeedNeedsOneElement) {
  EXPECT_THAT(message_of<GraphError>([] {
                (leaf({1, 2}) * 2).backward();
              }),
              HasSubstr("backward: the output, F64 [2] of mul, needs a seed gradient"));
}

TEST(Backward, SeedMustFit) {
  EXPECT_THAT(message_of<GraphError>([] {
                (leaf({1, 2}) * 2).backward(leaf({1}));
              }),
              HasSubstr("seed F64 [1] does not fit output F64 [2] of mul"));
}

TEST(Backward, OfAConstantIsRefused) {
  EXPECT_THAT(message_of<GraphError>([] { Variable(Tensor::scalar(1)).backward(); }),
              HasSubstr("backward: the output, F32 [], does not require a gradient"));
}

TEST(Backward, SecondPassNeedsRetainGraph) {
  const Variable x = leaf({3});
  const Variable y = sum(x * x);
  y.backward({}, /*retain_graph=*/true);
  y.backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{12}));
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }), HasSubstr("retain_graph"));
}

TEST(Backward, SeesSavedValuesModifiedInPlace) {
  const Variable x = leaf({1, 2});
  const Variable y = sum(exp(x) * x);
  Tensor value = x.value();
  value.fill_(0);
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }),
              ::testing::AllOf(HasSubstr("backward of mul"), HasSubstr("modified in place")));
}

TEST(Backward, GraphAMillionOperationsDeep) {
  const Variable x = leaf({1});
  Variable y = x;
  for (int i = 0; i < 1'000'000; ++i) y = y + 1e-6;
  y.backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{1}));
}

TEST(Graph, AMillionOperationsDeepIsDestroyedWithoutBackward) {
  const Variable x = leaf({1});
  Variable y = x;
  for (int i = 0; i < 1'000'000; ++i) y = exp(y) * 0.0;  // saves values along the way
  EXPECT_TRUE(y.requires_grad());
}

TEST(Graph, SavedValuesAreFreedWithTheResult) {
  const Tensor value = Tensor::ones({2}, Dtype::F64);
  const Variable x(value, true);
  const long before = value.storage().use_count();
  {
    const Variable y = exp(x) * x;
    EXPECT_GT(value.storage().use_count(), before);
  }
  EXPECT_EQ(value.storage().use_count(), before);
  const Variable y = sum(x * x);
  y.backward();
  EXPECT_EQ(value.storage().use_count(), before);
}

TEST(GradMode, NoGradRecordsNothing) {
  const Variable x = leaf({1});
  {
    const NoGrad no_grad;
    EXPECT_FALSE((x * x).requires_grad());
    const EnableGrad enable;
    EXPECT_TRUE((x * x).requires_grad());
  }
  EXPECT_TRUE((x * x).requires_grad());
}

TEST(Variable, DetachLeavesTheGraph) {
  const Variable x = leaf({2});
  const Variable y = x * x.detach();
  y.backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{2}));
}

TEST(Variable, RetainGradKeepsIntermediateGradients) {
  const Variable x = leaf({1, 2});
  Variable y = x * x;
  y.retain_grad();
  sum(y * 3).backward();
  EXPECT_EQ(values(y.grad()), (std::vector<double>{3, 3}));
  EXPECT_EQ(values(x.grad()), (std::vector<double>{6, 12}));
}

TEST(Variable, HooksSeeAndReplaceTheCompleteGradient) {
  Variable x = leaf({1});
  std::vector<double> seen;
  const std::size_t id = x.register_hook([&](const Variable& g) {
    seen.push_back(g.item());
    return g * 10;
  });
  (x + x).backward();
  EXPECT_EQ(seen, (std::vector<double>{2}));
  EXPECT_EQ(values(x.grad()), (std::vector<double>{20}));
  x.remove_hook(id);
  (x + x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{22}));
}

TEST(Variable, OnlyFloatingLeavesRequireGradients) {
  EXPECT_THROW(Variable(Tensor::arange(3), true), DtypeError);
  Variable y = leaf({1}) * 2;
  EXPECT_THROW(y.set_requires_grad(false), GraphError);
}

TEST(Grad, ReturnsGradientsAndTouchesNone) {
  const Variable x = leaf({1, 2});
  const Variable w = leaf({3, 4});
  const Variable unused = leaf({0});
  const Variable y = sum(x * w);
  const std::vector<Variable> grads = grad({y}, {w, unused});
  EXPECT_EQ(values(grads[0].value()), (std::vector<double>{1, 2}));
  EXPECT_FALSE(grads[1].defined());
  EXPECT_FALSE(w.grad().defined());
  EXPECT_FALSE(x.grad().defined());
}

TEST(Grad, OfIntermediateValues) {
  const Variable x = leaf({2});
  const Variable y = x * x;
  const std::vector<Variable> grads = grad({y * y}, {y, x});
  EXPECT_EQ(grads[0].item(), 8);
  EXPECT_EQ(grads[1].item(), 32);
}

TEST(Grad, HessianVectorProduct) {
  const Variable x = leaf({1, 2, 3});
  const Variable y = sum(x * x * x);
  const Variable first = grad({y}, {x}, {}, false, /*create_graph=*/true)[0];
  const Variable v(Tensor::from<double>({1, 0, 2}, {3}));
  EXPECT_EQ(values(grad({sum(first * v)}, {x})[0].value()), (std::vector<double>{6, 0, 36}));
}

}  // namespace
}  // namespace gladius
