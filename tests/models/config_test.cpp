#include "gladius/models/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "support/random_models.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;
using testing::message_of;

Json minimal() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"vocab_size", 10},
          {"hidden_size", 12},
          {"intermediate_size", 7},
          {"num_hidden_layers", 4},
          {"num_attention_heads", 3}};
}
Json minimal_qwen() {
  Json json = minimal();
  json["architectures"] = {"Qwen2ForCausalLM"};
  return json;
}
Json with(Json json, const Json& changes) {
  json.update(changes);
  return json;
}
ModelConfig parse(const Json& json) { return ModelConfig::parse(json, "config.json"); }
std::string error_of(const Json& json) {
  return message_of<ConfigError>([&] { parse(json); });
}

TEST(ModelConfig, FillsInTheDefaultsOfTheArchitecture) {
  const ModelConfig llama = parse(minimal());
  EXPECT_EQ(llama.model_type, "llama");
  EXPECT_EQ(llama.num_key_value_heads, 3);
  EXPECT_EQ(llama.head_dim, 4);
  EXPECT_EQ(llama.rope.theta, 10000);
  EXPECT_FALSE(llama.qkv_bias || llama.o_bias || llama.mlp_bias || llama.tie_word_embeddings);
  EXPECT_TRUE(llama.eos_token_ids.empty());
  const ModelConfig qwen = parse(minimal_qwen());
  EXPECT_TRUE(qwen.qkv_bias);
  EXPECT_FALSE(qwen.o_bias);
  const ModelConfig biased = parse(with(minimal(), {{"attention_bias", true}, {"mlp_bias", true}}));
  EXPECT_TRUE(biased.qkv_bias && biased.o_bias && biased.mlp_bias);
  Json by_type = minimal();
  by_type.erase("architectures");
  by_type["model_type"] = "qwen2";
  EXPECT_EQ(parse(by_type).architecture, "Qwen2ForCausalLM");
}

TEST(ModelConfig, ReadsOneOrSeveralEndTokens) {
  EXPECT_THAT(parse(with(minimal(), {{"eos_token_id", 2}})).eos_token_ids, ElementsAre(2));
  EXPECT_THAT(parse(with(minimal(), {{"eos_token_id", {2, 5}}})).eos_token_ids, ElementsAre(2, 5));
  EXPECT_THAT(error_of(with(minimal(), {{"eos_token_id", "</s>"}})), HasSubstr("eos_token_id"));
}

TEST(ModelConfig, BadSettingsAreNamed) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {with(minimal(), {{"hidden_size", nullptr}}), "\"hidden_size\" is missing"},
      {with(minimal(), {{"hidden_size", "12"}}), "\"hidden_size\" is \"12\""},
      {with(minimal(), {{"hidden_size", 12.5}}), "expected a whole number"},
      {with(minimal(), {{"vocab_size", 0}}), "\"vocab_size\" is 0; it must be positive"},
      {with(minimal(), {{"vocab_size", 18446744073709551615u}}), "expected a whole number"},
      {with(minimal(), {{"hidden_size", 1'000'000'000'000}}),
       "\"hidden_size\" is 1000000000000; it must be at most 2147483647"},
      {with(minimal(), {{"hidden_size", -12}}), "\"hidden_size\" is -12; it must be positive"},
      {with(minimal(), {{"hidden_size", 1e20}}), "\"hidden_size\" is 1e+20"},
      {with(minimal(), {{"intermediate_size", INT64_MAX}}), "\"intermediate_size\" is 9223372036"},
      {with(minimal(), {{"num_hidden_layers", 65'537}}),
       "\"num_hidden_layers\" is 65537; it must be at most 65536"},
      {with(minimal(), {{"num_attention_heads", 1LL << 32}}), "\"num_attention_heads\" is 429"},
      {with(minimal(), {{"num_key_value_heads", -3}}), "\"num_key_value_heads\" is -3"},
      {with(minimal(), {{"head_dim", 1LL << 40}}), "\"head_dim\" is 1099511627776"},
      {with(minimal(), {{"max_position_embeddings", INT64_MAX}}), "\"max_position_embeddings\""},
      {with(minimal(), {{"vocab_size", 2'000'000'000}, {"hidden_size", 3000}}),
       "vocab_size 2000000000 x hidden_size 3000 is a weight of 6e+12 elements, at most 1.1e+12"},
      {with(minimal(), {{"intermediate_size", INT32_MAX}, {"hidden_size", 3000}}),
       "intermediate_size 2147483647 x hidden_size 3000 is a weight of"},
      {with(minimal(), {{"num_attention_heads", 2'000'000'000}, {"head_dim", 64}}),
       "num_attention_heads 2000000000 x head_dim 64 x hidden_size 12 is a weight of"},
      {with(minimal(), {{"num_key_value_heads", 2}}), "not a multiple of num_key_value_heads 2"},
      {with(minimal(), {{"hidden_size", 13}}), "there is no head_dim"},
      {with(minimal(), {{"head_dim", 5}}), "head_dim 5 is odd"},
      {with(minimal(), {{"hidden_act", "gelu"}}), "hidden_act \"gelu\" is not supported"},
      {with(minimal(), {{"tie_word_embeddings", 1}}), "tie_word_embeddings"},
      {with(minimal(), {{"rms_norm_eps", -1.0}}), "rms_norm_eps"},
      {with(minimal(), {{"attention_dropout", 0.5}}), "attention_dropout 0.5 is not supported"},
      {with(minimal(), {{"partial_rotary_factor", 0.5}}), "partial_rotary_factor"},
      {with(minimal(), {{"torch_dtype", "int8"}}),
       "torch_dtype \"int8\" is not supported (known: float32, bfloat16, float16, float64, auto)"},
      {with(minimal(), {{"quantization_config", Json::object()}}), "quantization_config"},
      {with(minimal(), {{"architectures", {"GPT2LMHeadModel"}}}),
       "architecture \"GPT2LMHeadModel\" is not supported (known: LlamaForCausalLM, "
       "Qwen2ForCausalLM, Qwen3ForCausalLM)"},
      {Json::array(), "expected a JSON object"},
  };
  for (const auto& [json, what] : cases) {
    EXPECT_THAT(error_of(json), AllOf(HasSubstr("config.json: "), HasSubstr(what))) << json;
  }
}

TEST(ModelConfig, SlidingWindowsOfQwen2) {
  const Json window = {{"use_sliding_window", true}, {"sliding_window", 9}};
  EXPECT_THAT(
      parse(with(with(minimal_qwen(), window), {{"max_window_layers", 2}})).attention_windows,
      ElementsAre(0, 0, 9, 9));
  const Json types = {"sliding_attention", "full_attention", "full_attention", "sliding_attention"};
  EXPECT_THAT(parse(with(with(minimal_qwen(), window), {{"layer_types", types}})).attention_windows,
              ElementsAre(9, 0, 0, 9));
  // As in transformers: off unless asked for, and not a setting of Llama.
  EXPECT_TRUE(parse(with(minimal_qwen(), {{"sliding_window", 9}})).attention_windows.empty());
  EXPECT_TRUE(parse(with(minimal(), window)).attention_windows.empty());
  EXPECT_THAT(error_of(with(with(minimal_qwen(), window), {{"layer_types", {"full_attention"}}})),
              HasSubstr("not a list of 4"));
  const Json odd = {"full_attention", "linear_attention", "full_attention", "full_attention"};
  EXPECT_THAT(error_of(with(with(minimal_qwen(), window), {{"layer_types", odd}})),
              HasSubstr("\"linear_attention\" is not supported"));
}

TEST(ModelConfig, TheTypeIsStatedUnderTheFilesOwnKey) {
  const auto text = [](Json json, Dtype dtype) {
    ModelConfig config = parse(with(minimal(), json));
    config.set_dtype(dtype);
    return config.to_text();
  };
  EXPECT_THAT(text({{"dtype", "float32"}}, Dtype::BF16), HasSubstr("\"dtype\": \"bfloat16\""));
  EXPECT_THAT(
      text({{"torch_dtype", "float32"}}, Dtype::F16),
      AllOf(HasSubstr("\"torch_dtype\": \"float16\""), ::testing::Not(HasSubstr("\"dtype\""))));
  EXPECT_EQ(text(Json::object(), Dtype::F32), parse(minimal()).to_text());
  EXPECT_THAT(text(Json::object(), Dtype::BF16), HasSubstr("\"dtype\": \"bfloat16\""));
}

TEST(ModelConfig, FilesThatCannotBeReadAreNamed) {
  const testing::TemporaryDirectory directory;
  EXPECT_THAT(message_of<IoError>([&] { ModelConfig::load(directory.path()); }),
              AllOf(HasSubstr("config.json"), HasSubstr("is expected there")));
  testing::write_file(directory / "config.json", "{\"vocab_size\": 1");
  EXPECT_THAT(message_of<FormatError>([&] { ModelConfig::load(directory.path()); }),
              AllOf(HasSubstr("config.json"), HasSubstr("not valid JSON")));
  testing::write_file(directory / "config.json", minimal().dump());
  EXPECT_EQ(ModelConfig::load(directory.path()).to_text(), minimal().dump(2) + "\n");
}

}  // namespace
}  // namespace gladius
