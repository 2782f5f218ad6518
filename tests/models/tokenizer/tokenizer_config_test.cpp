// The files beside tokenizer.json: their added and special tokens.
#include "gladius/models/tokenizer/tokenizer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/base/error.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius::text {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
namespace fs = std::filesystem;

constexpr std::int32_t kVocabulary = 18;

class TokenizerConfigTest : public ::testing::Test {
 protected:
  TokenizerConfigTest() {
    json vocab{{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
    for (const char character : std::string("abcdefgimox <>/")) {
      vocab.emplace(std::string(1, character), vocab.size());
    }
    tokenizer_["model"] = {{"type", "BPE"}, {"vocab", vocab}, {"merges", json::array()}};
    tokenizer_["added_tokens"] = json::array({{{"id", 1}, {"content", "<s>"}, {"special", true}}});
    write("tokenizer.json", tokenizer_);
  }

  void write(const char* name, const json& content) {
    std::ofstream(directory_.path() / name) << content.dump();
  }
  Tokenizer load() const { return Tokenizer::load(directory_.path()); }

  json tokenizer_;
  testing::TemporaryDirectory directory_;
};

TEST_F(TokenizerConfigTest, AddedTokensDecoderAddsTokensAndChangesFlags) {
  const json added{{"content", "<x>"}, {"lstrip", true}, {"normalized", false}};
  write("tokenizer_config.json",
        {{"added_tokens_decoder",
          {{"900", added}, {"1", {{"content", "<s>"}, {"rstrip", true}, {"normalized", false}}}}}});
  const Tokenizer tokenizer = load();
  const std::int32_t x = tokenizer.token_to_id("<x>");
  EXPECT_EQ(x, kVocabulary) << "the next id";
  EXPECT_EQ(tokenizer.encode("  <x>", false), std::vector<std::int32_t>{x});
  EXPECT_EQ(tokenizer.encode("<s>  ", false), std::vector<std::int32_t>{1});
  EXPECT_FALSE(tokenizer.is_special(x));
  EXPECT_TRUE(tokenizer.is_special(1)) << "once special, so for good";
  ASSERT_EQ(tokenizer.notes().size(), 1u);
  EXPECT_THAT(tokenizer.notes()[0], HasSubstr("id 900"));
}

TEST_F(TokenizerConfigTest, SpecialTokensMapIsReadWhereTheConfigListsNoTokens) {
  write("tokenizer_config.json", {{"eos_token", "</s>"}, {"bos_token", "<s>"}});
  write("special_tokens_map.json",
        {{"eos_token", {{"content", "<end>"}, {"lstrip", true}}}, {"pad_token", "<pad>"}});
  write("added_tokens.json", {{"<older>", 4000}});
  const Tokenizer tokenizer = load();
  const auto special = tokenizer.special_tokens();
  EXPECT_EQ(special, json::parse(R"({"bos_token":"<s>","eos_token":"<end>","pad_token":"<pad>"})"));
  EXPECT_EQ(tokenizer.encode(" <end>", false).size(), 1u);
  EXPECT_TRUE(tokenizer.is_special(tokenizer.token_to_id("<end>")));
  EXPECT_TRUE(tokenizer.is_special(tokenizer.token_to_id("<pad>")));
  EXPECT_FALSE(tokenizer.is_special(tokenizer.token_to_id("<older>")));
  EXPECT_EQ(tokenizer.encode("<older>", false).size(), 1u);

  write("tokenizer_config.json", {{"eos_token", "</s>"}, {"added_tokens_decoder", json::object()}});
  EXPECT_EQ(load().special_tokens(), json::parse(R"({"eos_token":"</s>"})"));
  EXPECT_EQ(load().token_to_id("<end>"), -1);
  fs::remove(directory_.path() / "tokenizer_config.json");
  EXPECT_EQ(load().special_tokens().at("eos_token"), "<end>");
}

// transformers replaces the older file's token by the one of tokenizer.json that has its id, but
// remembers how its text is looked for.
TEST_F(TokenizerConfigTest, ATokenWhoseIdAnotherHasGivesItsFlagsToANamedOne) {
  write("added_tokens.json", {{"<x>", 1}});
  write("special_tokens_map.json", {{"eos_token", {{"content", "<x>"}, {"lstrip", true}}}});
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.token_to_id("<x>"), kVocabulary);
  EXPECT_EQ(tokenizer.encode(" <x>", false).size(), 2u) << "the space is not taken";
  EXPECT_TRUE(tokenizer.is_special(kVocabulary));
}

TEST_F(TokenizerConfigTest, OfTokensWithOneIdTheLastCounts) {
  write("added_tokens.json", {{"<a>", 40}, {"<b>", 40}});
  EXPECT_EQ(load().token_to_id("<b>"), kVocabulary);
  EXPECT_EQ(load().token_to_id("<a>"), -1);
}

TEST_F(TokenizerConfigTest, SpecialTokensOfADirectoryWithNoneAreNone) {
  EXPECT_EQ(load().special_tokens(), json::object());
  write("tokenizer_config.json",
        {{"bos_token", {{"content", "<s>"}, {"special", true}}}, {"pad_token", nullptr}});
  EXPECT_EQ(load().special_tokens().dump(), R"({"bos_token":"<s>"})");
}

TEST_F(TokenizerConfigTest, SpecialTokensMayBeSplitAndHaveNamesOfTheirOwn) {
  write("tokenizer_config.json", {{"image_token", "<image>"},
                                  {"extra_special_tokens", {"ab"}},
                                  {"split_special_tokens", true}});
  const Tokenizer tokenizer = load();
  EXPECT_EQ(load().special_tokens().at("image_token"), "<image>");
  EXPECT_TRUE(tokenizer.is_special(tokenizer.token_to_id("<image>")));
  EXPECT_GT(tokenizer.encode("<image>", false).size(), 1u);
}

TEST_F(TokenizerConfigTest, NamedExtraTokensDoNotHideAList) {
  const json named{{"audio_token", "<x>"}}, list{"<mi>", "<ma>"};
  write("tokenizer_config.json", {{"extra_special_tokens", named}});
  write("special_tokens_map.json", {{"additional_special_tokens", list}, {"image_token", "<y>"}});
  EXPECT_EQ(load().encode("<mi><ma><x><y>", false).size(), 4u);

  fs::remove(directory_.path() / "special_tokens_map.json");
  write("tokenizer_config.json",
        {{"extra_special_tokens", named}, {"additional_special_tokens", list}});
  EXPECT_EQ(load().encode("<mi><ma><x>", false).size(), 3u);

  // A list under the newer name hides it, and so does an object there that comes later.
  write("tokenizer_config.json",
        {{"extra_special_tokens", {"<x>"}}, {"additional_special_tokens", list}});
  EXPECT_GT(load().encode("<mi>", false).size(), 1u);
  write("tokenizer_config.json", {{"additional_special_tokens", list}});
  write("special_tokens_map.json", {{"extra_special_tokens", named}});
  EXPECT_GT(load().encode("<mi>", false).size(), 1u);
  EXPECT_EQ(load().special_tokens().at("audio_token"), "<x>");
}

TEST_F(TokenizerConfigTest, TheConfigsOwnTokensGoBeforeTheMaps) {
  write("tokenizer_config.json",
        {{"image_token", "<image>"}, {"extra_special_tokens", {{"eos_token", "<end>"}}}});
  write("special_tokens_map.json", {{"image_token", "<i>"}, {"eos_token", "</s>"}});
  const json expected{{"image_token", "<image>"}, {"eos_token", "<end>"}};
  EXPECT_EQ(json(load().special_tokens()), expected);

  // As transformers 5 saves them; names outside go before.
  fs::remove(directory_.path() / "special_tokens_map.json");
  json config{{"model_specific_special_tokens", {{"audio_token", "<x>"}}}};
  write("tokenizer_config.json", config);
  EXPECT_EQ(load().special_tokens().at("audio_token"), "<x>");
  EXPECT_EQ(load().encode("<x>", false).size(), 1u);
  config["image_token"] = "<image>";
  write("tokenizer_config.json", config);
  EXPECT_EQ(json(load().special_tokens()), json({{"image_token", "<image>"}}));
}

TEST_F(TokenizerConfigTest, ExtraTokensAreSpecialUnlessTransformersWroteOtherwise) {
  const json list{"<x>",
                  {{"content", "<mi>"}},
                  {{"content", "<ma>"}, {"special", false}, {"__type", "AddedToken"}}};
  write("tokenizer_config.json", {{"extra_special_tokens", list}});
  const Tokenizer tokenizer = load();
  EXPECT_TRUE(tokenizer.is_special(tokenizer.token_to_id("<x>")));
  EXPECT_TRUE(tokenizer.is_special(tokenizer.token_to_id("<mi>")));
  ASSERT_GE(tokenizer.token_to_id("<ma>"), 0);
  EXPECT_FALSE(tokenizer.is_special(tokenizer.token_to_id("<ma>")));
}

// transformers adds a token for each text and each object of other flags, once: of a text, an
// object and the text again the object comes last.
TEST_F(TokenizerConfigTest, OfStatementsOfANewTokenTheOneMadeFirstTheLatestCounts) {
  const json text = "<x>", taking{{"content", "<x>"}, {"rstrip", true}};
  const auto takes_space = [&](const json& eos, const json& pad, const json& cls) {
    write("special_tokens_map.json", {{"eos_token", eos}, {"pad_token", pad}, {"cls_token", cls}});
    return load().encode("<x> ", false).size() == 1;
  };
  EXPECT_TRUE(takes_space(text, taking, text));
  EXPECT_TRUE(takes_space(text, text, taking));
  EXPECT_FALSE(takes_space(taking, text, taking));
  EXPECT_FALSE(takes_space(taking, taking, text));
  const json bare{{"content", "<x>"}};
  EXPECT_FALSE(takes_space(text, taking, bare)) << "an object is another statement than its text";
}

TEST_F(TokenizerConfigTest, MalformedOnesAreRefusedByName) {
  const auto error_of = [&](const json& config) {
    write("tokenizer_config.json", config);
    return message_of<FormatError>([&] { load(); });
  };
  EXPECT_THAT(error_of(3), HasSubstr("tokenizer_config.json: expected a JSON object"));
  EXPECT_THAT(error_of({{"eos_token", 3}}), HasSubstr("\"eos_token\" is no token"));
  EXPECT_THAT(error_of({{"extra_special_tokens", "<x>"}}),
              HasSubstr("\"extra_special_tokens\" is neither a list"));
  EXPECT_THAT(error_of({{"model_specific_special_tokens", {"<x>"}}}),
              HasSubstr("\"model_specific_special_tokens\" is not an object"));
  EXPECT_THAT(error_of({{"added_tokens_decoder", {{"x", {{"content", "<x>"}}}}}}),
              HasSubstr("the key \"x\" is no token id"));
  EXPECT_THAT(error_of({{"added_tokens_decoder", {{"5", {{"lstrip", true}}}}}}),
              AllOf(HasSubstr("\"added_tokens_decoder\" 5"), HasSubstr("has no \"content\"")));
}

TEST_F(TokenizerConfigTest, StoredTruncationAndPaddingArePassedOverWithANote) {
  const auto ids = load().encode("abc abc");
  tokenizer_["truncation"] = {{"max_length", 2}};
  tokenizer_["padding"] = {{"pad_token", "</s>"}};
  write("tokenizer.json", tokenizer_);
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.encode("abc abc"), ids);
  EXPECT_TRUE(tokenizer.is_special(2)) << "the padding's token";
  EXPECT_EQ(load().special_tokens().at("pad_token"), "</s>");
  ASSERT_EQ(tokenizer.notes().size(), 2u);
  EXPECT_THAT(tokenizer.notes()[0],
              AllOf(HasSubstr("\"truncation\" is ignored"), HasSubstr("tokenizer.json")));
  EXPECT_THAT(tokenizer.notes()[1], HasSubstr("\"padding\" is ignored"));
}

}  // namespace
}  // namespace gladius::text
