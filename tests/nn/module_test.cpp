#include "gladius/nn/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "gladius/autograd/ops/reduce.h"
#include "gladius/nn/embedding.h"
#include "gladius/nn/linear.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

struct Block : Module {
  Block()
      : scale(register_parameter("scale", {3})),
        first(register_module("first", std::make_shared<Linear>(3, 2))),
        second(register_module("second", std::make_shared<Linear>(2, 3, false))) {}
  Variable scale;
  std::shared_ptr<Linear> first, second;
};

struct Model : Module {
  Model()
      : table(register_module("table", std::make_shared<Embedding>(4, 3))),
        block(register_module("block", std::make_shared<Block>())) {}
  std::shared_ptr<Embedding> table;
  std::shared_ptr<Block> block;
};

// The same layer under two names.
struct TiedModel : Model {
  TiedModel() { register_module("again", table); }
};

std::vector<std::string> names(const NamedVariables& parameters) {
  std::vector<std::string> result;
  for (const auto& [name, parameter] : parameters) result.push_back(name);
  return result;
}

// Each tensor filled with its own number, from 1.
NamedTensors numbered_state(const Module& module) {
  NamedTensors state;
  for (const auto& [name, parameter] : module.named_parameters()) {
    const auto number = static_cast<double>(state.size() + 1);
    state.emplace_back(name, Tensor::full(parameter.shape(), number));
  }
  return state;
}

TEST(Module, NamesParametersAsPyTorch) {
  const Model model;
  EXPECT_THAT(names(model.named_parameters()),
              ElementsAre("table.weight", "block.scale", "block.first.weight", "block.first.bias",
                          "block.second.weight"));
  EXPECT_EQ(model.num_parameters(), 12 + 3 + 6 + 2 + 6);
  EXPECT_EQ(model.parameters().size(), 5u);
  EXPECT_FALSE(model.block->second->bias.defined());
}

TEST(Module, SharedLayersComeOnce) {
  const TiedModel tied;
  EXPECT_EQ(names(tied.named_parameters()), names(Model().named_parameters()));
  EXPECT_EQ(tied.num_parameters(), Model().num_parameters());
  EXPECT_EQ(tied.state_dict().size(), 5u);
}

TEST(Module, NewParametersTakeNoMemory) {
  const Linear huge(1 << 20, 1 << 20);  // 4 TiB if it did
  EXPECT_EQ(huge.weight.shape(), (Shape{1 << 20, 1 << 20}));
  EXPECT_EQ(huge.weight.value().storage()->size(), sizeof(float));
  EXPECT_EQ(huge.weight.value().select(0, 7).select(0, 9).item(), 0);
  EXPECT_FALSE(huge.weight.requires_grad());
}

TEST(Module, LoadsByNameInAnyOrderAndSharesTheTensors) {
  Model model;
  NamedTensors state = numbered_state(model);
  std::ranges::reverse(state);
  model.load_state_dict(state);
  EXPECT_THAT(model.table->weight.value().to_vector<float>(), ::testing::Each(1));
  EXPECT_THAT(model.block->first->bias.value().to_vector<float>(), ::testing::Each(4));
  EXPECT_THAT(model.block->second->weight.value().to_vector<float>(), ::testing::Each(5));
  EXPECT_EQ(model.block->second->weight.value().storage(), state[0].second.storage());
  const NamedTensors saved = model.state_dict();
  EXPECT_EQ(saved[0].first, "table.weight");
  EXPECT_EQ(saved[4].second.storage(), state[0].second.storage());
}

TEST(Module, LoadsOtherFloatingTypesWhereNoGradientIsNeeded) {
  Linear layer(2, 2, false);
  layer.load_state_dict({{"weight", Tensor::ones({2, 2}, Dtype::BF16)}});
  EXPECT_EQ(layer.weight.dtype(), Dtype::BF16);
  layer.load_state_dict({{"weight", Tensor::ones({2, 2}, Dtype::F64)}});
  layer.set_requires_grad(true);
  layer.load_state_dict({{"weight", Tensor::ones({2, 2}, Dtype::F32)}});
  EXPECT_TRUE(layer.weight.requires_grad());
}

TEST(Module, LoadStateDictIsAllOrNothing) {
  Model model;
  model.load_state_dict(numbered_state(model));
  model.set_requires_grad(true);
  const auto refused = [&](const std::function<void(NamedTensors&)>& change) {
    NamedTensors state;
    for (const auto& [name, tensor] : model.state_dict()) {
      state.emplace_back(name, Tensor::zeros(tensor.shape()));
    }
    change(state);
    const std::string message = message_of<FormatError>([&] { model.load_state_dict(state); });
    for (double number = 1; const auto& [name, parameter] : model.named_parameters()) {
      EXPECT_THAT(parameter.value().to_vector<double>(), ::testing::Each(number)) << name;
      EXPECT_TRUE(parameter.requires_grad());
      ++number;
    }
    return message;
  };
  const auto last_becomes = [](const Tensor& tensor) {
    return [=](NamedTensors& state) { state.back().second = tensor; };
  };
  EXPECT_EQ(refused([](NamedTensors& state) { state.pop_back(); }),
            "load_state_dict: tensor \"block.second.weight\" [3, 2] is missing");
  EXPECT_EQ(refused(last_becomes(Tensor::ones({2, 3}))),
            "load_state_dict: tensor \"block.second.weight\" has shape [2, 3], the model needs "
            "[3, 2]");
  EXPECT_THAT(refused(last_becomes(Tensor::ones({3, 2}, Dtype::I32))),
              HasSubstr("\"block.second.weight\" is I32 [3, 2]; weights are floating-point"));
  EXPECT_THAT(refused(last_becomes(Tensor::ones({3, 2}, Dtype::BF16))),
              HasSubstr("\"block.second.weight\" is BF16 [3, 2], which cannot be trained"));
  EXPECT_EQ(refused([](NamedTensors& state) {
              state.emplace_back("z.rest", Tensor::ones({1}));
              state.emplace_back("rest", Tensor::ones({7}));
            }),
            "load_state_dict: tensor \"rest\" [7] belongs to no parameter (2 such)");
}

TEST(Module, TurnsGradientsOnAndOffAndForgetsThem) {
  Model model;
  model.load_state_dict(numbered_state(model));
  model.set_requires_grad(true);
  for (const Variable& parameter : model.parameters()) sum(parameter).backward();
  EXPECT_TRUE(model.block->scale.grad().defined());
  EXPECT_TRUE(model.table->weight.grad().defined());
  model.zero_grad();
  for (const Variable& parameter : model.parameters()) EXPECT_FALSE(parameter.grad().defined());
  model.set_requires_grad(false);
  EXPECT_FALSE(model.block->first->bias.requires_grad());
}

}  // namespace
}  // namespace gladius
