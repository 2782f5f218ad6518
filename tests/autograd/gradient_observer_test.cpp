#include "gladius/autograd/gradient_observer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/variable.h"
#include "support/random.h"

namespace gladius {
namespace {

using testing::Rng;

// Random graphs over leaves that are used often, once, twice by one operation, or by none.
TEST(GradientObserver, IsToldOfEachLeafOnceAndWithItsWholeGradient) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<Variable> leaves, values;
    for (int i = 0; i < 5; ++i) {
      leaves.emplace_back(testing::random_tensor(rng, {3, 3}), true);
    }
    values = leaves;
    values.pop_back();
    for (int i = 0; i < 12; ++i) {
      const Variable a = testing::one_of(rng, values), b = testing::one_of(rng, values);
      values.push_back(testing::random_int(rng, 0, 1) == 0 ? matmul(a, b) : add(mul(a, b), a));
    }
    const Variable loss = sum(values.back());
    std::map<const Node*, std::vector<double>> told;
    {
      const GradientObserver observer([&](const Node* node) {
        for (const Variable& leaf : leaves) {
          if (leaf.node().get() != node) continue;
          EXPECT_FALSE(told.contains(node));
          told[node] =
              leaf.grad().defined() ? leaf.grad().to_vector<double>() : std::vector<double>();
        }
      });
      loss.backward({}, /*retain_graph=*/true);
    }
    for (const Variable& leaf : leaves) {
      const Tensor grad = leaf.grad();
      if (!grad.defined()) continue;
      ASSERT_TRUE(told.contains(leaf.node().get()));
      EXPECT_EQ(told.at(leaf.node().get()), grad.to_vector<double>());
    }
    EXPECT_FALSE(told.contains(leaves.back().node().get()));
    told.clear();
    loss.backward();  // nobody is there any more
    EXPECT_TRUE(told.empty());
  }
}

// Leaves of later operations are complete while earlier ones still compute.
TEST(GradientObserver, IsToldBeforeThePassEnds) {
  const Variable first(Tensor::ones({2, 2}), true), second(Tensor::ones({2, 2}), true);
  const Variable loss = sum(matmul(matmul(first, first), second));
  bool first_was_known = true;
  const GradientObserver observer([&](const Node* node) {
    if (node == second.node().get()) first_was_known = first.grad().defined();
  });
  loss.backward();
  EXPECT_FALSE(first_was_known);
}

}  // namespace
}  // namespace gladius
