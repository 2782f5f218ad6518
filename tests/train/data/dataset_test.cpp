#include "gladius/train/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;
using testing::write_file;

constexpr std::int32_t kSpace = 259, kA = 260, kB = 261, kC = 262;
constexpr std::int64_t kVocabulary = 265;

// Roles are written as letters, so that every piece is one known token.
constexpr const char* kTemplate =
    "{% for m in messages %}{{ 'd' if m.role == 'user' else 'e' }}{{ m.content }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}e{% endif %}";
constexpr std::int32_t kUser = 263, kAssistant = 264, kEos = 2;

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    testing::write_tiny_tokenizer(directory_ / "tokenizer");
    write_file(directory_ / "tokenizer" / "chat_template.jinja", kTemplate);
    encoder_.emplace(directory_ / "tokenizer");
  }

  std::vector<Example> load(const std::string& contents, DatasetOptions options = {},
                            const char* name = "data.jsonl") {
    write_file(directory_ / name, contents);
    options.vocab_size = kVocabulary;
    return load_dataset(directory_ / name, &*encoder_, options);
  }

  TemporaryDirectory directory_;
  std::optional<TextEncoder> encoder_;
};

TEST_F(DatasetTest, TextPredictsTheNextToken) {
  const auto examples = load("{\"text\": \"ab\"}\n\n  \r\n{\"text\": \"c a\", \"source\": 1}");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_THAT(examples[0].ids, ElementsAre(1, kA, kB));
  EXPECT_THAT(examples[0].labels, ElementsAre(kA, kB, kNoLabel));
  EXPECT_THAT(examples[1].ids, ElementsAre(1, kC, kSpace, kA));
}

TEST_F(DatasetTest, WhatIsCutStillHasItsLastLabel) {
  const auto examples = load(R"({"text": "abc"})", {.max_seq_len = 2});
  EXPECT_THAT(examples[0].ids, ElementsAre(1, kA));
  EXPECT_THAT(examples[0].labels, ElementsAre(kA, kB));
}

TEST_F(DatasetTest, IdsComeWithOrWithoutLabels) {
  const auto examples =
      load("{\"input_ids\": [5, 6, 7]}\n{\"input_ids\": [5, 6, 7], \"labels\": [-100, 9, 264]}",
           {.max_seq_len = 3});
  EXPECT_THAT(examples[0].labels, ElementsAre(6, 7, kNoLabel));
  EXPECT_THAT(examples[1].ids, ElementsAre(5, 6, 7));
  EXPECT_THAT(examples[1].labels, ElementsAre(kNoLabel, 9, 264));
}

constexpr const char* kChat =
    R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "bc"},
        {"role": "user", "content": "c"}, {"role": "assistant", "content": "a"}]})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST_F(DatasetTest, ChatsAreRenderedWithTheTemplate) {
  const auto examples = load(one_line(kChat));
  EXPECT_THAT(examples[0].ids, ElementsAre(kUser, kA, kEos, kAssistant, kB, kC, kEos, kUser, kC,
                                           kEos, kAssistant, kA, kEos));
  EXPECT_THAT(examples[0].labels, ElementsAre(kA, kEos, kAssistant, kB, kC, kEos, kUser, kC, kEos,
                                              kAssistant, kA, kEos, kNoLabel));
}

TEST_F(DatasetTest, OnlyTheAssistantsTokensCountIfAskedFor) {
  const auto examples = load(one_line(kChat), {.loss_on = LossOn::assistant});
  constexpr std::int32_t no = kNoLabel;
  // From the header (which generation is given) to the end of the turn.
  EXPECT_THAT(examples[0].labels,
              ElementsAre(no, no, no, kB, kC, kEos, no, no, no, no, kA, kEos, no));
}

TEST_F(DatasetTest, ATemplateThatRewritesEarlierTurnsMasksWhatIsNotThere) {
  write_file(directory_ / "tokenizer" / "chat_template.jinja",
             "{% for m in messages %}{% if m.role == 'user' %}d{{ m.content }}{% elif loop.last "
             "%}e{{ m.content }}{% else %}e{{ m.content[-1:] }}{% endif %}{% endfor %}"
             "{% if add_generation_prompt %}e{% endif %}");
  encoder_.emplace(directory_ / "tokenizer");
  const auto examples = load(one_line(kChat), {.loss_on = LossOn::assistant});
  EXPECT_THAT(examples[0].ids, ElementsAre(kUser, kA, kAssistant, kC, kUser, kC, kAssistant, kA));
  constexpr std::int32_t no = kNoLabel;
  EXPECT_THAT(examples[0].labels, ElementsAre(no, no, no, no, no, no, kA, no));
}

TEST_F(DatasetTest, ATextFileIsCutIntoPiecesThatPredictOn) {
  const auto examples = load("abcab", {.max_seq_len = 4}, "data.txt");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_THAT(examples[0].ids, ElementsAre(1, kA, kB, kC));
  EXPECT_THAT(examples[0].labels, ElementsAre(kA, kB, kC, kA));
  EXPECT_THAT(examples[1].ids, ElementsAre(kA, kB));
  EXPECT_THAT(examples[1].labels, ElementsAre(kB, kNoLabel));
}

TEST_F(DatasetTest, BadLinesAreNamedByFileAndLine) {
  struct Case {
    const char* line;
    const char* says;
  };
  const Case cases[] = {
      {"{\"text\": ", "not valid JSON"},
      {"[1]", "expected a JSON object"},
      {"{\"txt\": \"a\"}", "expected one of \"text\", \"messages\" and \"input_ids\", found none"},
      {"{\"text\": \"a\", \"input_ids\": [1]}", "found several"},
      {"{\"text\": 5}", "\"text\" is not a string"},
      {"{\"input_ids\": []}", "no tokens"},
      {"{\"input_ids\": [1, 265]}", "token 265 is outside of the model's vocabulary of 265"},
      {"{\"input_ids\": [-1]}", "token -1 is outside"},
      {"{\"input_ids\": [1.5]}", "\"input_ids\" holds 1.5"},
      {"{\"input_ids\": [18446744073709551615]}", "holds 18446744073709551615"},
      {"{\"input_ids\": {}}", "\"input_ids\" is not a list"},
      {"{\"input_ids\": [1, 2], \"labels\": [1]}", "1 labels for 2 input_ids"},
      {"{\"input_ids\": [1], \"labels\": [300]}", "label 300 is outside"},
      {"{\"messages\": []}", "\"messages\" is not a list of messages"},
      {"{\"messages\": [{\"content\": \"a\"}]}", "is not a message"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.line);
    const std::string message = message_of<FormatError>(
        [&] { load(std::string("{\"text\": \"a\"}\n\n") + c.line + "\n"); });
    EXPECT_THAT(message, HasSubstr("data.jsonl:3: "));
    EXPECT_THAT(message, HasSubstr(c.says));
  }
}

TEST_F(DatasetTest, UnusableFilesAndMissingTokenizers) {
  EXPECT_THAT(message_of<IoError>([&] { load_dataset("/nowhere/x.jsonl", nullptr, {}); }),
              HasSubstr("/nowhere/x.jsonl"));
  EXPECT_THAT(message_of<ConfigError>([&] { load("a", {}, "data.csv"); }),
              HasSubstr(".jsonl or .txt"));
  EXPECT_THAT(message_of<FormatError>([&] { load("\n\n"); }), HasSubstr("no examples"));
  write_file(directory_ / "text.jsonl", "{\"text\": \"a\"}");
  EXPECT_THAT(
      message_of<ConfigError>([&] { load_dataset(directory_ / "text.jsonl", nullptr, {}); }),
      HasSubstr("text.jsonl:1: text needs a tokenizer"));
  std::filesystem::remove(directory_ / "tokenizer" / "chat_template.jinja");
  encoder_.emplace(directory_ / "tokenizer");
  EXPECT_THAT(message_of<ConfigError>([&] { load(one_line(kChat)); }),
              HasSubstr("has none (chat_template.jinja)"));
}

}  // namespace
}  // namespace gladius
