#include "gladius/models/rope_scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/models/config.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

ModelConfig config_with(const Json& changes) {
  Json json{{"architectures", {"LlamaForCausalLM"}},
            {"vocab_size", 10},
            {"hidden_size", 24},
            {"intermediate_size", 7},
            {"num_hidden_layers", 1},
            {"num_attention_heads", 2},
            {"max_position_embeddings", 64}};
  json.update(changes);
  return ModelConfig::parse(json, "config.json");
}

TEST(RopeScaling, TheContextIsWhatTheScalingExtendsItTo) {
  const auto context = [](const Json& rope) {
    return context_length(config_with({{"rope_scaling", rope}}).rope);
  };
  EXPECT_EQ(context(nullptr), 64);
  EXPECT_EQ(context({{"rope_type", "linear"}, {"factor", 2.5}}), 160);
  EXPECT_EQ(context({{"rope_type", "dynamic"}, {"factor", 3.0}}), 192);
  EXPECT_EQ(context({{"rope_type", "yarn"}, {"factor", 4.0}}), 256);
  // max_position_embeddings is what the scaling leads to.
  EXPECT_EQ(
      context({{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}}),
      64);
  EXPECT_EQ(context({{"rope_type", "llama3"},
                     {"factor", 8.0},
                     {"low_freq_factor", 1.0},
                     {"high_freq_factor", 4.0},
                     {"original_max_position_embeddings", 8}}),
            64);
}

// The angle a position turns each pair of a head by, and the length of what was (1, 0).
struct Turn {
  std::vector<double> angles, lengths;
};
// At position 1 of a sequence of `length`.
Turn turn_of(const ModelConfig& config, std::int64_t length) {
  const std::int64_t D = config.head_dim;
  std::vector<double> x;
  for (std::int64_t t = 0; t < length; ++t)
    for (std::int64_t i = 0; i < D; ++i) x.push_back(i < D / 2);
  const auto rotary = make_rotary_embedding(config.rope, D);
  const auto y = rotary
                     .forward(Variable(Tensor::from(x, {1, length, 1, D}).to(Dtype::F64)),
                              Tensor::arange(length).reshape({1, length}))
                     .value()
                     .to_vector<double>();
  Turn turn;
  for (std::int64_t i = 0; i < D / 2; ++i) {
    const double a = y[static_cast<std::size_t>(D + i)];
    const double b = y[static_cast<std::size_t>(D + D / 2 + i)];
    turn.angles.push_back(std::atan2(b, a));
    turn.lengths.push_back(std::hypot(a, b));
  }
  return turn;
}

// inv_freq and attention_scaling of transformers' LlamaRotaryEmbedding (5.24) for head_dim 12,
// rope_theta 300 and 64 positions.
TEST(RopeScaling, HasTheFrequenciesOfTheReference) {
  struct Case {
    const char* scaling;
    std::int64_t length;
    double attention_scaling;
    std::vector<double> frequencies;
  };
  const Case cases[] = {
      {R"({"rope_type": "default"})",
       2,
       1,
       {1, 0.3864973, 0.1493801, 0.05773502, 0.02231443, 0.008624469}},
      {R"({"rope_type": "linear", "factor": 4.0})",
       2,
       1,
       {0.25, 0.09662432, 0.03734504, 0.01443376, 0.005578607, 0.002156117}},
      {R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64})",
       2,
       1,
       {1, 0.3793761, 0.04139707, 0.007216878, 0.002789304, 0.001078059}},
      {R"({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024})",
       2,
       1.13862944,
       {1, 0.3864973, 0.1269731, 0.04041452, 0.01227294, 0.003449787}},
      {R"({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "mscale": 1.5, "mscale_all_dim": 0.5, "beta_fast": 4, "truncate": false})",
       2,
       1.12964325,
       {1, 0.3864973, 0.1493801, 0.05773502, 0.02116488, 0.003744598}},
      {R"({"rope_type": "yarn", "original_max_position_embeddings": 1024, "factor": 2.0, "attention_factor": 1.25})",
       2,
       1.25,
       {1, 0.3864973, 0.1344421, 0.04618802, 0.0156201, 0.005174682}},
      {R"({"rope_type": "dynamic", "factor": 3.0})",
       100,
       1,
       {1, 0.3171588, 0.1005897, 0.03190291, 0.01011829, 0.003209105}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.scaling);
    Json scaling = Json::parse(c.scaling);
    const ModelConfig older =
        config_with({{"head_dim", 12}, {"rope_theta", 300.0}, {"rope_scaling", scaling}});
    scaling["rope_theta"] = 300;
    const ModelConfig newer = config_with({{"head_dim", 12}, {"rope_parameters", scaling}});
    for (const ModelConfig& config : {older, newer}) {
      const Turn turn = turn_of(config, c.length);
      for (std::size_t i = 0; i < c.frequencies.size(); ++i) {
        EXPECT_NEAR(turn.angles[i], c.frequencies[i], 1e-6 * c.frequencies[i]) << i;
        EXPECT_NEAR(turn.lengths[i], c.attention_scaling, 1e-7) << i;
      }
    }
  }
}

TEST(RopeScaling, DynamicFrequenciesDependOnTheSequenceAlone) {
  const ModelConfig config =
      config_with({{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}}});
  const auto rotary = make_rotary_embedding(config.rope, config.head_dim);
  const auto rotated = [&](std::int64_t length) {
    return rotary
        .forward(Variable(Tensor::ones({1, length, 1, config.head_dim})),
                 Tensor::arange(length).reshape({1, length}))
        .value()
        .to_vector<float>();
  };
  const auto whole = rotated(64), longer = rotated(80);
  EXPECT_EQ(rotated(64), whole);
  EXPECT_EQ(rotated(80), longer);
  const auto first = std::vector<float>(longer.begin(), longer.begin() + std::ssize(whole));
  EXPECT_NE(first, whole);
}

TEST(RopeScaling, AnEmptyOlderSettingLeavesTheNewerOne) {
  const ModelConfig config =
      config_with({{"rope_scaling", Json::object()}, {"rope_parameters", {{"rope_theta", 77.0}}}});
  EXPECT_EQ(config.rope.theta, 77);
}

TEST(RopeScaling, BadSettingsAreNamed) {
  const auto error_of = [](const Json& scaling, const char* key = "rope_scaling") {
    return testing::message_of<ConfigError>([&] { config_with({{key, scaling}}); });
  };
  EXPECT_THAT(
      error_of({{"rope_type", "longrope"}}),
      HasSubstr("\"rope_scaling\": rope_type \"longrope\" is not supported (known: default, "
                "linear, dynamic, yarn, llama3)"));
  EXPECT_THAT(error_of({{"type", "linear"}}), HasSubstr("\"rope_scaling.factor\" is missing"));
  EXPECT_THAT(error_of({{"type", "linear"}, {"factor", 0}}), HasSubstr("must be positive"));
  EXPECT_THAT(error_of({{"type", "llama3"}, {"factor", 8}}), HasSubstr("low_freq_factor"));
  EXPECT_THAT(error_of({{"rope_type", "llama3"},
                        {"factor", 8},
                        {"low_freq_factor", 4},
                        {"high_freq_factor", 4}}),
              HasSubstr("is not above low_freq_factor"));
  EXPECT_THAT(error_of({{"partial_rotary_factor", 0.5}}, "rope_parameters"),
              HasSubstr("partial_rotary_factor is not supported"));
  EXPECT_THAT(error_of({{"full_attention", Json::object()}}, "rope_parameters"),
              HasSubstr("by layer type"));
  EXPECT_THAT(error_of(3), HasSubstr("is number; expected an object {...}"));
}

}  // namespace
}  // namespace gladius
