// The dropout layer, and the training mode of modules.
#include "gladius/nn/dropout.h"

#include <gtest/gtest.h>

#include "gladius/autograd/ops/dropout.h"
#include "support/message_of.h"

namespace gladius::nn {
namespace {

using testing::message_of;

struct Inner : Module {
  std::shared_ptr<Dropout> first, second;
  Inner()
      : first(register_module("first", std::make_shared<Dropout>(0.5))),
        second(register_module("second", std::make_shared<Dropout>(0.5))) {}
};
struct Outer : Module {
  std::shared_ptr<Inner> inner;
  Outer() : inner(register_module("inner", std::make_shared<Inner>())) {}
};

TEST(DropoutLayer, DropsInTrainingAlone) {
  Generator generator(1), same(1);
  Dropout layer(0.25, generator);
  const Variable x(Tensor::ones({1000}), true);
  EXPECT_TRUE(layer.is_training());
  EXPECT_EQ(layer.forward(x).value().to_vector<float>(),
            dropout(x, 0.25, same).value().to_vector<float>());
  layer.eval();
  EXPECT_EQ(layer.forward(x).node(), x.node());
  EXPECT_EQ(generator.state(), same.state());
  EXPECT_TRUE(layer.parameters().empty());
  EXPECT_EQ(message_of([] { Dropout(1.5); }),
            "Dropout: a probability of 1.5; expected one in [0, 1]");
}

TEST(Module, SetsTheModeOfAllItsSubmodules) {
  Outer model;
  model.eval();
  EXPECT_FALSE(model.is_training() || model.inner->is_training() ||
               model.inner->first->is_training() || model.inner->second->is_training());
  model.inner->train();
  EXPECT_FALSE(model.is_training());
  EXPECT_TRUE(model.inner->is_training() && model.inner->first->is_training() &&
              model.inner->second->is_training());
}

}  // namespace
}  // namespace gladius::nn
