#include "gladius/models/chat_template/end_of_turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_directory.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<std::int32_t>;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Letters as bytes, and <s> 3, </s> 4, <|end|> 5, <|user|> 6, of which the last is not special.
Tokenizer make_tokenizer(const testing::TemporaryDirectory& directory) {
  Json added = Json::array();
  for (const char* token : {"<s>", "</s>", "<|end|>", "<|user|>"}) {
    added.push_back({{"id", 3 + added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", std::string(token) != "<|user|>"}});
  }
  const Json model{{"type", "BPE"},
                   {"unk_token", "?"},
                   {"vocab", {{"?", 0}, {"a", 1}, {"\n", 2}}},
                   {"merges", Json::array()}};
  testing::write_file(directory / "tokenizer.json", Json{{"version", "1.0"},
                                                         {"truncation", nullptr},
                                                         {"padding", nullptr},
                                                         {"added_tokens", added},
                                                         {"normalizer", nullptr},
                                                         {"pre_tokenizer", nullptr},
                                                         {"post_processor", nullptr},
                                                         {"decoder", nullptr},
                                                         {"model", model}}
                                                        .dump());
  return Tokenizer::load(directory.path());
}

class EndOfTurn : public ::testing::Test {
 protected:
  Ids of(const std::string& chat_template, const Json& special_tokens = Json::object()) const {
    return end_of_turn_tokens(ChatTemplate::parse(chat_template), special_tokens, tokenizer_);
  }

  testing::TemporaryDirectory directory_;
  Tokenizer tokenizer_ = make_tokenizer(directory_);
  const Json eos_{{"bos_token", "<s>"}, {"eos_token", "</s>"}};
};

TEST_F(EndOfTurn, IsWhatTheTemplateWritesBehindAnAnswerBesideTheEosToken) {
  const std::string chatml = "{% for m in messages %}{{ m.content + '<|end|>\\n' }}{% endfor %}";
  EXPECT_THAT(of(chatml, eos_), ElementsAre(4, 5));
  EXPECT_THAT(of(chatml), ElementsAre(5));
  EXPECT_THAT(of("{% for m in messages %}{{ m.content + ' ' + eos_token }}{% endfor %}", eos_),
              ElementsAre(4));
}

TEST_F(EndOfTurn, IsTheNextTurnsBeginningWhereNothingElseEndsAnAnswer) {
  EXPECT_THAT(of("{% for m in messages %}{% if m.role == 'user' %}<|user|>\n{% endif %}"
                 "{{ m.content }}{% endfor %}"),
              ElementsAre(6));
  // The last answer is left open.
  EXPECT_THAT(of("{% for m in messages %}{{ m.content }}{% if not loop.last %}<|end|>{% endif %}"
                 "{% endfor %}"),
              ElementsAre(5));
}

TEST_F(EndOfTurn, IsNothingWhereTheTemplateTellsNothing) {
  EXPECT_THAT(of("{% for m in messages %}{{ m.content }}\n{% endfor %}"), IsEmpty());
  EXPECT_THAT(of("{{ raise_exception('no') }}"), IsEmpty());
  EXPECT_THAT(of("{{ raise_exception('no') }}", eos_), ElementsAre(4));
  EXPECT_THAT(of("{{ messages[0].content }}", {{"eos_token", "<none>"}}), IsEmpty());
}

}  // namespace
}  // namespace gladius::text
