#include "gladius/models/lora_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gladius/tensor/base/text_file.h"
#include "gladius/tensor/io/safetensors.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class LoraAdapter : public ::testing::Test {
 protected:
  void write(const nlohmann::json& settings, const NamedTensors& tensors) const {
    write_text_file(directory_ / "adapter_config.json", settings.dump());
    write_safetensors(directory_ / "adapter_model.safetensors", tensors);
  }
  NamedTensors pair(const Tensor& a, const Tensor& b) const {
    return {{"base_model.model.layer.lora_A.weight", a},
            {"base_model.model.layer.lora_B.weight", b}};
  }
  std::vector<float> merged(Tensor weight) const {
    NamedTensors weights{{"layer.weight", std::move(weight)}};
    merge_lora(directory_.path(), weights);
    return weights[0].second.to_vector<float>();
  }

  testing::TemporaryDirectory directory_;
  const Tensor a_ = Tensor::from({{1.0f, 2.0f, 3.0f}, {0.0f, 1.0f, 0.0f}});
  const Tensor b_ = Tensor::from({{1.0f, 10.0f}, {2.0f, 0.0f}});
};

TEST_F(LoraAdapter, AddsTheScaledProduct) {
  write({{"peft_type", "LORA"}, {"lora_alpha", 4}}, pair(a_, b_));
  EXPECT_THAT(merged(Tensor::ones({2, 3})), ElementsAre(3, 25, 7, 5, 9, 13));
  write({{"lora_alpha", 4}, {"use_rslora", true}, {"alpha_pattern", {{"layer", 0}}}}, pair(a_, b_));
  EXPECT_THAT(merged(Tensor::ones({2, 3})), ElementsAre(1, 1, 1, 1, 1, 1));
}

TEST_F(LoraAdapter, LeavesTheBaseModelsOwnTensorAsItWas) {
  write({{"lora_alpha", 4}}, pair(a_, b_));
  const Tensor weight = Tensor::ones({2, 3});
  merged(weight);
  EXPECT_THAT(weight.to_vector<float>(), ElementsAre(1, 1, 1, 1, 1, 1));
}

TEST_F(LoraAdapter, WhatDoesNotFitIsNamed) {
  const auto error = [&] { return message_of<Error>([&] { merged(Tensor::ones({2, 3})); }); };
  write({{"lora_alpha", 4}}, pair(a_, a_));
  EXPECT_THAT(error(), HasSubstr("A [2, 3] and B [2, 3] do not fit the weight [2, 3]"));
  write({{"lora_alpha", 4}}, pair(Tensor::empty({0, 3}), Tensor::empty({2, 0})));
  EXPECT_THAT(error(), HasSubstr("do not fit"));
  write({{"lora_alpha", 4}}, {pair(a_, b_)[1]});
  EXPECT_THAT(error(), HasSubstr("lora_A is missing"));
  write({{"lora_alpha", 4}}, {{"base_model.model.x.lora_embedding_A", a_}});
  EXPECT_THAT(error(), HasSubstr("lora_embedding_A"));
  write({{"use_dora", true}}, pair(a_, b_));
  EXPECT_THAT(error(), HasSubstr("\"use_dora\" is not supported"));
}

}  // namespace
}  // namespace gladius
