#include "gladius/models/generation/generation_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "support/random_models.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;

class GenerationConfigFile : public ::testing::Test {
 protected:
  GenerationConfigFile() {
    testing::Rng rng(5);
    nlohmann::ordered_json json = testing::random_config_json(rng);
    json["eos_token_id"] = {3, 4};
    config_ = ModelConfig::parse(json, "config.json");
  }
  GenerationConfig load(const std::string& text) const {
    testing::write_file(directory_ / "generation_config.json", text);
    return GenerationConfig::load(directory_.path(), config_);
  }

  testing::TemporaryDirectory directory_;
  ModelConfig config_;
};

TEST_F(GenerationConfigFile, SaysWhatItHas) {
  const GenerationConfig all = load(
      R"({"do_sample": false, "temperature": 0.5, "top_p": 0.75, "top_k": 7, "max_new_tokens": 9,
          "repetition_penalty": 1.25, "eos_token_id": 1})");
  EXPECT_EQ(all.do_sample, false);
  EXPECT_EQ(all.temperature, 0.5);
  EXPECT_EQ(all.top_p, 0.75);
  EXPECT_EQ(all.top_k, 7);
  EXPECT_EQ(all.max_new_tokens, 9);
  EXPECT_EQ(all.repetition_penalty, 1.25);
  EXPECT_THAT(all.eos_token_ids, ElementsAre(1));
  EXPECT_THAT(load(R"({"eos_token_id": [1, 2]})").eos_token_ids, ElementsAre(1, 2));
}

TEST_F(GenerationConfigFile, LeavesTheRestOpenAndTheEndTokensToTheModel) {
  for (const GenerationConfig& empty :
       {GenerationConfig::load(directory_.path(), config_), load(R"({"temperature": null})")}) {
    EXPECT_FALSE(empty.do_sample || empty.temperature || empty.top_p || empty.top_k ||
                 empty.max_new_tokens || empty.repetition_penalty);
    EXPECT_THAT(empty.eos_token_ids, ElementsAre(3, 4));
    EXPECT_THAT(empty.unsupported, IsEmpty());
  }
}

TEST_F(GenerationConfigFile, NamesWhatWouldMatterAndIsNotThere) {
  EXPECT_THAT(load(R"({"num_beams": 1, "min_p": 0.1, "typical_p": 1.0, "stop_strings": ["a"],
                       "bad_words_ids": null, "bos_token_id": 1, "use_cache": false})")
                  .unsupported,
              ElementsAre("min_p", "stop_strings"));
}

TEST_F(GenerationConfigFile, BadSettingsAreNamed) {
  EXPECT_THAT(message_of<ConfigError>([&] { load(R"({"top_k": "all"})"); }),
              HasSubstr("generation_config.json: \"top_k\""));
  EXPECT_THAT(message_of<ConfigError>([&] { load(R"({"do_sample": 1})"); }),
              HasSubstr("do_sample"));
}

}  // namespace
}  // namespace gladius
