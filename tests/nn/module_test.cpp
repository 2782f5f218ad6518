#include "gladius/nn/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/nn/embedding.h"
#include "gladius/nn/init.h"
#include "gladius/nn/linear.h"
#include "gladius/nn/rms_norm.h"
#include "gladius/tensor/io/safetensors.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius::nn {
namespace {

using ::testing::AllOf;
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
  EXPECT_TRUE(huge.weight.requires_grad());
}

TEST(Module, LoadsByNameInAnyOrder) {
  Model model;
  NamedTensors state = numbered_state(model);
  std::ranges::reverse(state);
  model.load_state_dict(state);
  EXPECT_THAT(model.table->weight.value().to_vector<float>(), ::testing::Each(1));
  EXPECT_THAT(model.block->first->bias.value().to_vector<float>(), ::testing::Each(4));
  EXPECT_THAT(model.block->second->weight.value().to_vector<float>(), ::testing::Each(5));
  const NamedTensors saved = model.state_dict();
  EXPECT_EQ(saved[0].first, "table.weight");
  EXPECT_EQ(saved[4].second.storage(), model.block->second->weight.value().storage());
}

// As in PyTorch, where loading copies. A frozen model needs no copy, and may be far larger.
TEST(Module, LoadsCopiesWhereItIsTrainedAndSharesWhereFrozen) {
  Model model;
  model.table->set_requires_grad(false);
  const NamedTensors state = numbered_state(model);
  model.load_state_dict(state);
  Tensor trained = model.block->scale.value();
  trained.fill_(7);
  EXPECT_THAT(state[1].second.to_vector<float>(), ::testing::Each(2));
  EXPECT_EQ(model.table->weight.value().storage(), state[0].second.storage());
  for (std::size_t i = 1; i < state.size(); ++i) {
    EXPECT_NE(model.state_dict()[i].second.storage(), state[i].second.storage()) << state[i].first;
  }
  Model other;  // what PyTorch's users write to begin two models with the same weights
  other.load_state_dict(model.state_dict());
  trained.fill_(8);
  EXPECT_THAT(other.block->scale.value().to_vector<float>(), ::testing::Each(7));
}

TEST(Module, TakesTensorsWithoutACopy) {
  Model model;
  const NamedTensors state = numbered_state(model);
  model.take_state_dict(state);
  for (std::size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(model.state_dict()[i].second.storage(), state[i].second.storage()) << state[i].first;
  }
  EXPECT_THAT(message_of<FormatError>([&] { model.take_state_dict({state[0]}); }),
              HasSubstr("\"block.scale\" [3] is missing"));
}

TEST(Module, FreshModulesTrainWithPyTorchsValues) {
  Linear layer(64, 300);
  Embedding table(50, 40);
  RMSNorm norm(5, 1e-6);
  Generator generator(3);
  layer.reset_parameters(generator);
  table.reset_parameters(generator);
  norm.reset_parameters(generator);
  for (const Variable& parameter : {layer.weight, layer.bias}) {  // U(-1/8, 1/8)
    const std::vector<double> values = parameter.value().to_vector<double>();
    EXPECT_LT(std::ranges::max(values), 0.125);
    EXPECT_GE(std::ranges::min(values), -0.125);
    EXPECT_GT(std::ranges::max(values), 0.12);
    EXPECT_TRUE(parameter.requires_grad());
  }
  EXPECT_NEAR(sum(table.weight * table.weight).item() / 2000, 1, 0.2);
  EXPECT_THAT(norm.weight.value().to_vector<float>(), ::testing::Each(1));
  sum(layer.forward(Variable(Tensor::ones({2, 64})))).backward();
  EXPECT_EQ(layer.bias.grad().to_vector<float>(), std::vector<float>(300, 2));
  Model model;
  model.reset_parameters(generator);
  EXPECT_NE(model.block->second->weight.value().to_vector<float>(), std::vector<float>(6));
}

TEST(Init, HasTheSpreadsOfTorch) {
  Generator generator(11);
  Linear layer(300, 200, false);
  const Variable& w = layer.weight;
  const auto moments = [&] {
    double squares = 0, largest = 0;
    for (const double v : w.value().to_vector<double>()) {
      squares += v * v;
      largest = std::max(largest, std::abs(v));
    }
    return std::pair{std::sqrt(squares / 60000), largest};
  };
  init::xavier_uniform_(w, 2, generator);  // bound 2 sqrt(6 / 500)
  EXPECT_NEAR(moments().second, 2 * std::sqrt(6.0 / 500), 1e-3);
  init::xavier_normal_(w, 2, generator);
  EXPECT_NEAR(moments().first, 2 * std::sqrt(2.0 / 500), 2e-3);
  init::kaiming_uniform_(w, 0, init::Fan::kOut, generator);
  EXPECT_NEAR(moments().second, std::sqrt(6.0 / 200), 1e-3);
  init::kaiming_normal_(w, 1, init::Fan::kIn, generator);
  EXPECT_NEAR(moments().first, std::sqrt(1.0 / 300), 1e-3);
  init::trunc_normal_(w, 0, 1, -0.5, 0.5, generator);
  EXPECT_LE(moments().second, 0.5);
  EXPECT_NEAR(moments().first, 0.2834, 5e-3);
  init::constant_(w, 3);
  EXPECT_EQ(moments(), (std::pair{3.0, 3.0}));
  EXPECT_TRUE(w.requires_grad());
  EXPECT_THROW(init::xavier_normal_(Variable(Tensor::ones({3}))), ShapeError);
  EXPECT_THROW(init::trunc_normal_(w, 0, 1, 5, 6), ConfigError);
}

TEST(Module, LoadsASafetensorsFile) {
  const testing::TemporaryDirectory directory;
  Model source;
  write_safetensors(directory / "m.safetensors", numbered_state(source));
  Model model;
  model.load_state_dict(directory / "m.safetensors");
  EXPECT_THAT(model.block->first->bias.value().to_vector<float>(), ::testing::Each(4));
  init::zeros_(model.block->scale);
  Tensor value = model.table->weight.value();
  EXPECT_NO_THROW(value.fill_(2));  // a copy, which can be trained
  Model frozen;
  frozen.table->set_requires_grad(false);
  frozen.load_state_dict(directory / "m.safetensors");
  Tensor mapped = frozen.table->weight.value(), copied = frozen.block->scale.value();
  EXPECT_THROW(mapped.fill_(2), Error);  // a view of the file
  EXPECT_NO_THROW(copied.fill_(2));
  write_safetensors(directory / "m.safetensors", {{"other", Tensor::ones({1})}});
  EXPECT_THAT(message_of<FormatError>([&] { model.load_state_dict(directory / "m.safetensors"); }),
              AllOf(HasSubstr("m.safetensors: load_state_dict"), HasSubstr("is missing")));
}

TEST(Module, LoadsOtherFloatingTypesWhereNoGradientIsNeeded) {
  Linear layer(2, 2, false);
  layer.set_requires_grad(false);
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
}  // namespace gladius::nn
