#include "gladius/autograd/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/engine.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/elementwise.h"
#include "support/leaf.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::leaf;
using testing::message_of;

// The sum of its inputs, which tells `seen` what it was asked for.
Variable observed_sum(const std::vector<Variable>& inputs,
                      std::function<void(const BackwardContext&)> seen) {
  Tensor total = inputs[0].value().clone();
  for (std::size_t i = 1; i < inputs.size(); ++i) add_(total, inputs[i].value());
  return record("observed_sum", total, inputs,
                [=, n = inputs.size()](const Variable& g, const BackwardContext& context) {
                  seen(context);
                  return std::vector<Variable>(n, g);
                });
}

TEST(SavedVariable, NoticesThatTheResultWasModified) {
  const Variable x = leaf({1, 2});
  const Variable y = exp(x);
  Tensor(y.value()).select(0, 1).fill_(0);  // through a view
  EXPECT_THAT(message_of<GraphError>([&] { sum(y).backward(); }),
              AllOf(HasSubstr("backward of exp: F64 [2] was saved for it at version "),
                    HasSubstr("modified in place"), HasSubstr("clone() it")));
}

TEST(SavedVariable, OfAResultMakesNoCycle) {
  std::weak_ptr<Node> node;
  {
    const Variable y = exp(leaf({1}));
    node = y.node();
    EXPECT_FALSE(node.expired());
  }
  EXPECT_TRUE(node.expired());
}

TEST(SavedVariable, OfAResultIsDifferentiableAgain) {
  const Variable x = leaf({0.5});
  const Variable first = grad({exp(x)}, {x}, {}, false, /*create_graph=*/true)[0];
  EXPECT_DOUBLE_EQ(grad({first}, {x})[0].item(), std::exp(0.5));
}

TEST(BackwardContext, SaysWhichGradientsAreUsed) {
  const Variable a = leaf({1}), b = leaf({2}), frozen(Tensor::ones({1}, Dtype::F64));
  std::vector<bool> needs;
  const Variable y = observed_sum({a, b, frozen}, [&](const BackwardContext& context) {
    needs = {context.needs(0), context.needs(1), context.needs(2)};
  });
  y.backward({}, true);
  EXPECT_THAT(needs, ElementsAre(true, true, false));
  grad({y}, {b});
  EXPECT_THAT(needs, ElementsAre(false, true, false));
}

TEST(BackwardContext, OffersTheGradientsOfLeavesToAddTo) {
  Variable x = leaf({1});
  const Variable inner = x * 1;
  std::vector<const Tensor*> offered;
  const auto pass = [&](bool by_grad = false) {
    const Variable y = observed_sum({x, inner}, [&](const BackwardContext& context) {
      offered = {context.accumulate_into(0), context.accumulate_into(1)};
    });
    if (by_grad) {
      grad({y}, {x, inner}, {}, true);
    } else {
      y.backward({}, true);
    }
  };
  pass();
  EXPECT_THAT(offered, ElementsAre(nullptr, nullptr)) << "there is no gradient yet";
  pass();
  EXPECT_THAT(offered, ElementsAre(&x.node()->grad, nullptr)) << "only a leaf's";
  pass(true);
  EXPECT_THAT(offered, ElementsAre(nullptr, nullptr)) << "grad() touches none";
  const std::size_t hook = x.register_hook([](const Variable&) { return Variable(); });
  pass();
  EXPECT_THAT(offered, ElementsAre(nullptr, nullptr)) << "a hook is to see the whole gradient";
  x.remove_hook(hook);
  x.set_grad(Tensor::ones({1}, Dtype::F64).expand({1}));
  pass();
  EXPECT_THAT(offered, ElementsAre(&x.node()->grad, nullptr));
}

TEST(BackwardContext, SaysWhetherSavedValuesAreStillNeeded) {
  const Variable x = leaf({1});
  bool frees = false;
  const Variable y =
      observed_sum({x}, [&](const BackwardContext& context) { frees = context.frees_saved(); });
  y.backward({}, /*retain_graph=*/true);
  EXPECT_FALSE(frees);
  y.backward();
  EXPECT_TRUE(frees);
}

TEST(Node, RefusesGradientsOfAnotherShapeOrType) {
  const auto faulty = [](const Tensor& gradient) {
    return [=] {
      record(
          "faulty", Tensor::ones({1}, Dtype::F64), {leaf({1, 2})},
          [=](const Variable&, const BackwardContext&) { return std::vector{Variable(gradient)}; })
          .backward();
    };
  };
  EXPECT_EQ(message_of<GraphError>(faulty(Tensor::ones({3}, Dtype::F64))),
            "backward of faulty: gradient F64 [3] for input 0, F64 [2]");
  EXPECT_EQ(message_of<GraphError>(faulty(Tensor::ones({2}))),
            "backward of faulty: gradient F32 [2] for input 0, F64 [2]");
  EXPECT_THAT(message_of<GraphError>(faulty(Tensor())), HasSubstr("gradient undefined tensor"));
}

TEST(Node, RefusesAnotherNumberOfGradients) {
  for (const std::size_t count : {0, 1, 3, 100}) {
    const Variable x = leaf({1, 2}), constant(Tensor::ones({2}, Dtype::F64));
    const Variable y = record(
        "faulty", Tensor::ones({2}, Dtype::F64), {x, constant},
        [=](const Variable& g, const BackwardContext&) { return std::vector<Variable>(count, g); });
    EXPECT_EQ(message_of<GraphError>([&] { sum(y).backward(); }),
              "backward of faulty: " + std::to_string(count) +
                  " gradients for 2 inputs; return an undefined one where none is needed");
    EXPECT_FALSE(x.grad().defined());
  }
}

TEST(Node, FreedGraphSaysWhatToDo) {
  const Variable x = leaf({2});
  const Variable y = x * x;
  y.backward();
  EXPECT_EQ(message_of<GraphError>([&] { y.backward(); }),
            "backward: the graph below mul [1] was freed by an earlier backward pass; ask that one "
            "to retain_graph");
}

TEST(Record, KeepsNoGraphWhereNoneIsNeeded) {
  const Variable constant(Tensor::ones({2}, Dtype::F64));
  EXPECT_EQ((constant * constant).node(), nullptr);
  const NoGrad no_grad;
  EXPECT_EQ((leaf({1}) * leaf({1})).node(), nullptr);
}

TEST(Hooks, OfResultsSeeAndReplaceWhatIsPassedOn) {
  const Variable x = leaf({1, 2});
  Variable y = x * 3;
  std::vector<int> order;
  y.register_hook([&](const Variable& g) {
    order.push_back(1);
    return g * 2;
  });
  y.register_hook([&](const Variable&) {
    order.push_back(2);
    return Variable();  // leaves it
  });
  sum(y + y).backward();
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_THAT(x.grad().to_vector<double>(), ElementsAre(12, 12));
}

TEST(Hooks, AReplacementMustFitTheVariable) {
  for (const Tensor& wrong :
       {Tensor::ones({3}, Dtype::F64), Tensor::ones({2}, Dtype::F32), Tensor::ones({}, Dtype::F64),
        Tensor::ones({1, 2}, Dtype::F64), Tensor::ones({2}, Dtype::I64), Tensor()}) {
    const Variable x = leaf({1, 2});
    Variable hooked = x;
    hooked.register_hook([=](const Variable&) { return Variable(wrong); });
    EXPECT_THAT(message_of<GraphError>([&] { sum(x * 2).backward(); }),
                ::testing::AllOf(
                    ::testing::HasSubstr("a hook of leaf F64 [2] returned " + wrong.describe())));
    EXPECT_FALSE(x.grad().defined());
    Variable y = leaf({1, 2}) * 3;
    y.register_hook([=](const Variable&) { return Variable(wrong); });
    EXPECT_THAT(message_of<GraphError>([&] { sum(y).backward(); }),
                ::testing::HasSubstr("a hook of mul F64 [2] returned"));
    EXPECT_THROW(grad({sum(x * 2)}, {x}), GraphError);
  }
}

// What it returns may be seen by others, or have any strides; it is not written to.
TEST(Hooks, AReplacementKeepsItsMemoryToItself) {
  Tensor weights = Tensor::from<double>({3, 5}, {2});
  const Tensor shared = Tensor::full({}, 7, Dtype::F64).expand({2});
  const Tensor columns = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
  for (const bool of_leaf : {true, false}) {
    for (const Tensor& replaced : {weights, shared, columns.select(1, 1)}) {
      const std::vector<double> before = replaced.to_vector<double>();
      Variable x(weights, true), y = x * 1;
      (of_leaf ? x : y).register_hook([=](const Variable&) { return Variable(replaced); });
      sum(y).backward();
      EXPECT_EQ(x.grad().to_vector<double>(), before);
      sum(x * 1).backward();  // adds to it
      EXPECT_EQ(replaced.to_vector<double>(), before);
      EXPECT_NE(x.grad().to_vector<double>(), before);
    }
  }
  Variable x(weights, true);
  x.register_hook([&](const Variable&) { return x; });
  sum(x * 2).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), weights.to_vector<double>());
  EXPECT_NE(x.grad().storage(), weights.storage());
  x.zero_grad();
  x.remove_hook(0);
}

TEST(Hooks, ThatThrowEndThePass) {
  Variable x = leaf({1, 2});
  const std::size_t id =
      x.register_hook([](const Variable&) -> Variable { throw Error("no gradient today"); });
  EXPECT_EQ(message_of<Error>([&] { sum(x * 2).backward(); }), "no gradient today");
  EXPECT_FALSE(x.grad().defined());
  x.remove_hook(id);
  sum(x * 2).backward();
  EXPECT_THAT(x.grad().to_vector<double>(), ElementsAre(2, 2));
  EXPECT_TRUE(grad_enabled());
}

// As the header says: who captures the variable keeps it alive until the hook is removed.
TEST(Hooks, LetGoOfWhatTheyHoldWithTheVariable) {
  const auto held = std::make_shared<int>(0);
  std::weak_ptr<int> watch = held;
  {
    Variable y = leaf({1, 2}) * 3;
    y.register_hook(
        [copy = std::make_shared<std::shared_ptr<int>>(held)](const Variable& g) { return g; });
    EXPECT_EQ(watch.use_count(), 2);
    sum(y).backward();
  }
  EXPECT_EQ(watch.use_count(), 1);
  std::weak_ptr<Node> node;
  {
    Variable y = leaf({1, 2}) * 3;
    node = y.node();
    const std::size_t id = y.register_hook([y](const Variable& g) { return g * y; });
    y.remove_hook(id);
  }
  EXPECT_TRUE(node.expired());
}

TEST(Hooks, AlsoRunForGrad) {
  const Variable x = leaf({1});
  Variable y = x * x;
  y.register_hook([](const Variable& g) { return g * 10; });
  EXPECT_EQ(grad({y}, {x})[0].item(), 20);
}

TEST(Hooks, NeedAGradient) {
  Variable constant(Tensor::ones({1}));
  EXPECT_EQ(message_of<GraphError>([&] { constant.register_hook({}); }),
            "register_hook: F32 [1] does not require a gradient");
  EXPECT_THROW(constant.retain_grad(), GraphError);
  EXPECT_THROW(constant.set_grad(Tensor::ones({1})), GraphError);
}

// Each node saves values that hold earlier nodes: destruction must not recurse through those.
TEST(Graph, DeepGraphsThatShareSavedValuesAreDestroyed) {
  const Variable x = leaf({1});
  Variable a = x, b = x;
  for (int i = 0; i < 200'000; ++i) {
    Variable next = a * b;
    b = std::exchange(a, next);
  }
  a.backward();
  EXPECT_TRUE(x.grad().defined());
  for (int i = 0; i < 200'000; ++i) a = a * a;
  a = Variable();
  EXPECT_FALSE(a.defined());
}

TEST(Variable, SetValueIsAllOrNothing) {
  Variable x = leaf({1, 2});
  EXPECT_THAT(message_of<DtypeError>([&] { x.set_value(Tensor::ones({2}, Dtype::BF16)); }),
              HasSubstr("set_value: BF16 [2] cannot have gradients"));
  EXPECT_THAT(message_of<ShapeError>([&] { x.set_value(Tensor::ones({3}, Dtype::F64)); }),
              HasSubstr("F64 [3] in the place of F64 [2]"));
  EXPECT_TRUE(x.requires_grad());
  EXPECT_THAT(x.value().to_vector<double>(), ElementsAre(1, 2));
  x.set_value(Tensor::ones({2}));
  EXPECT_TRUE(x.requires_grad());
  sum(x).backward();
  EXPECT_EQ(x.grad().dtype(), Dtype::F32);
  Variable y = x * 1;
  EXPECT_THROW(y.set_value(Tensor::ones({2})), GraphError);
}

TEST(Variable, SetGradMustFit) {
  Variable x = leaf({1, 2});
  EXPECT_THAT(message_of<ShapeError>([&] { x.set_grad(Tensor::ones({1}, Dtype::F64)); }),
              HasSubstr("set_grad: F64 [1] is no gradient of F64 [2]"));
  EXPECT_THROW(x.set_grad(Tensor::ones({2})), ShapeError);
}

TEST(Variable, TheUndefinedOneHasNoValue) {
  EXPECT_THAT(message_of([] { Variable().value(); }), HasSubstr("undefined variable"));
}

}  // namespace
}  // namespace gladius
