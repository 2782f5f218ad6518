#include "gladius/train/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
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

std::vector<Example> read_all(const Dataset& data) {
  std::vector<Example> examples;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (const auto example = data.read(i)) examples.push_back(*example);
  }
  return examples;
}

// On four threads at once.
void in_threads(const std::function<void()>& work) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
}

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    testing::write_tiny_tokenizer(directory_ / "tokenizer");
    write_file(directory_ / "tokenizer" / "chat_template.jinja", kTemplate);
    encoder_ = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  }

  std::vector<Example> load(const std::string& contents, DatasetOptions options = {},
                            const char* name = "data.jsonl") {
    write_file(directory_ / name, contents);
    options.vocab_size = kVocabulary;
    return read_all(Dataset::open({directory_ / name}, encoder_, options));
  }

  TemporaryDirectory directory_;
  std::shared_ptr<const TextEncoder> encoder_;
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

TEST_F(DatasetTest, NullColumnsCountAsMissing) {
  const auto examples = load(
      "{\"text\": \"ab\", \"messages\": null, \"input_ids\": null, \"labels\": null}\n"
      "{\"text\": null, \"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"tools\": "
      "null}\n"
      "{\"text\": null, \"input_ids\": [5, 6], \"labels\": null, \"attention_mask\": null, "
      "\"position_ids\": null}");
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_THAT(examples[0].ids, ElementsAre(1, kA, kB));
  EXPECT_THAT(examples[1].ids, ElementsAre(kUser, kA, kEos));
  EXPECT_THAT(examples[2].labels, ElementsAre(6, kNoLabel));
  EXPECT_THAT(message_of<FormatError>([&] { load("{\"text\": null, \"messages\": null}"); }),
              HasSubstr("found none"));
}

TEST_F(DatasetTest, PaddingIsTakenOut) {
  const auto examples = load(
      R"({"input_ids": [5, 6, 7, 0, 0], "attention_mask": [1, 1, 1, 0, 0]}
{"input_ids": [0, 0, 5, 6, 7], "attention_mask": [0, 0, 1, 1, 1], "token_type_ids": [0, 0, 0, 0, 0]}
{"input_ids": [0, 5, 6, 7, 0], "attention_mask": [false, true, true, true, false], "labels": [5, 8, -100, 9, 3], "special_tokens_mask": [1, 0, 0, 0, 1]}
{"input_ids": [0, 0, 5, 6], "attention_mask": [0, 0, 1, 1], "position_ids": [1, 1, 0, 1]}
{"input_ids": [0, 0, 5, 6], "attention_mask": [0, 0, 1, 1], "position_ids": [0, 1, 2, 3]}
{"input_ids": [5, 6], "attention_mask": [1, 1], "position_ids": [0, 1]})");
  ASSERT_EQ(examples.size(), 6u);
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_THAT(examples[i].ids, ElementsAre(5, 6, 7));
    EXPECT_THAT(examples[i].labels, ElementsAre(6, 7, kNoLabel));
  }
  EXPECT_THAT(examples[2].ids, ElementsAre(5, 6, 7));
  EXPECT_THAT(examples[2].labels, ElementsAre(8, kNoLabel, 9));
  for (const std::size_t i : {3u, 4u, 5u}) EXPECT_THAT(examples[i].ids, ElementsAre(5, 6));
  // The cut comes after the padding.
  const auto cut = load(R"({"input_ids": [0, 0, 5, 6, 7], "attention_mask": [0, 0, 1, 1, 1]})",
                        {.max_seq_len = 2});
  EXPECT_THAT(cut[0].ids, ElementsAre(5, 6));
  EXPECT_THAT(cut[0].labels, ElementsAre(6, 7));
  EXPECT_EQ(cut[0].cut_tokens, 1);
}

// TRL's and transformers' masks: 1 for a token that is to be predicted.
TEST_F(DatasetTest, MasksSayWhatIsPredicted) {
  const auto examples = load(
      R"({"input_ids": [5, 6, 7, 8], "completion_mask": [0, 0, 1, 1]}
{"input_ids": [5, 6, 7, 8], "assistant_masks": [1, 1, 0, 1], "labels": null}
{"input_ids": [5, 6, 7, 8], "completion_mask": [0, 1, 1, 1], "assistant_masks": [1, 1, 0, 1]}
{"input_ids": [0, 5, 6, 7, 0], "attention_mask": [0, 1, 1, 1, 0], "completion_mask": [1, 1, 0, 1, 1]}
{"input_ids": [5, 6], "completion_mask": [false, true], "assistant_masks": null}
{"input_ids": [5, 6], "completion_mask": [0, 0]})");
  constexpr std::int32_t no = kNoLabel;
  ASSERT_EQ(examples.size(), 6u);
  EXPECT_THAT(examples[0].labels, ElementsAre(no, 7, 8, no));
  EXPECT_THAT(examples[1].labels, ElementsAre(6, no, 8, no));
  EXPECT_THAT(examples[2].labels, ElementsAre(6, no, 8, no));
  EXPECT_THAT(examples[3].ids, ElementsAre(5, 6, 7));
  EXPECT_THAT(examples[3].labels, ElementsAre(no, 7, no));  // not the padding behind it
  EXPECT_THAT(examples[4].labels, ElementsAre(6, no));
  EXPECT_THAT(examples[5].labels, ElementsAre(no, no));
  const auto cut =
      load(R"({"input_ids": [5, 6, 7, 8], "completion_mask": [0, 0, 1, 1]})", {.max_seq_len = 2});
  EXPECT_THAT(cut[0].labels, ElementsAre(no, 7));
  EXPECT_EQ(cut[0].cut_labels, 1);
}

TEST_F(DatasetTest, ColumnsThatArePassedOverAreNamedOnce) {
  const std::string chat = R"("messages": [{"role": "user", "content": "a"}])";
  std::vector<std::string> warnings;
  load("{" + chat + R"(, "system": "b"}
{)" + chat +
           R"(, "system": "c", "source": "d", "weight": 1, "completion": null}
{"text": "a", "labels": [1], "weight": 0.5}
{"text": "a", "labels": [2]}
{"input_ids": [1, 2], "prompt": "a", "loss_mask": [1, 1], "seq_lengths": [2], "segment_ids": [3, 3]})",
       {.warn = [&](const std::string& text) { warnings.push_back(text); }});
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("data.jsonl:1: \"system\" beside \"messages\" is not"),
                          HasSubstr("data.jsonl:3: \"labels\" beside \"text\" is not"),
                          HasSubstr("data.jsonl:3: \"weight\" beside \"text\" is not")));
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

TEST_F(DatasetTest, OfATemplateThatRewritesEarlierTurnsCountsWhatStands) {
  write_file(directory_ / "tokenizer" / "chat_template.jinja",
             "{% for m in messages %}{% if m.role == 'user' %}d{{ m.content }}{% elif loop.last "
             "%}e{{ m.content }}{% else %}e{{ m.content[-1:] }}{% endif %}{% endfor %}"
             "{% if add_generation_prompt %}e{% endif %}");
  encoder_ = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  const auto examples = load(one_line(kChat), {.loss_on = LossOn::assistant});
  EXPECT_THAT(examples[0].ids, ElementsAre(kUser, kA, kAssistant, kC, kUser, kC, kAssistant, kA));
  constexpr std::int32_t no = kNoLabel;
  EXPECT_THAT(examples[0].labels, ElementsAre(no, no, kC, no, no, no, kA, no));
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
      {"{\"input_ids\": [1, 2], \"attention_mask\": [1]}",
       "\"attention_mask\" has 1 values for 2 input_ids"},
      {"{\"input_ids\": [1, 2], \"attention_mask\": 1}", "\"attention_mask\" is not a list"},
      {"{\"input_ids\": [1, 2], \"attention_mask\": [1, 2]}",
       "\"attention_mask\" holds 2; expected"},
      {"{\"input_ids\": [1, 2], \"attention_mask\": [1, 0.5]}", "holds 0.5; expected"},
      {"{\"input_ids\": [1, 2], \"attention_mask\": [0, 0]}", "0 everywhere: no tokens"},
      {"{\"input_ids\": [1, 2, 3], \"attention_mask\": [1, 0, 1]}",
       "is 0 at position 1 and 1 behind it, at 2; padding is expected"},
      {"{\"input_ids\": [1, 2, 3], \"position_ids\": [0, 0, 1]}",
       "\"position_ids\" holds 0 at position 1, where 1 is expected"},
      {"{\"input_ids\": [1, 2], \"position_ids\": [4, 5]}", "holds 4 at position 0, where 0"},
      {"{\"input_ids\": [1, 2], \"position_ids\": [0]}", "has 1 values for 2 input_ids"},
      {"{\"input_ids\": [1, 2], \"completion_mask\": [1]}", "has 1 values for 2 input_ids"},
      {"{\"input_ids\": [1, 2], \"assistant_masks\": [0, 2]}",
       "\"assistant_masks\" holds 2; expected 1 for a token that is to be predicted"},
      {"{\"input_ids\": [1, 2], \"completion_mask\": [0, 1], \"labels\": [2, 3]}",
       "\"completion_mask\" stands beside \"labels\""},
      {"{\"input_ids\": [1, 2], \"loss_mask\": [0, 1]}",
       "\"loss_mask\" is [0,1], which is not supported; say what counts with \"labels\""},
      {"{\"input_ids\": [1, 2], \"weight\": 0.5}", "\"weight\" is 0.5, which is not supported"},
      {"{\"input_ids\": [1, 2], \"seq_lengths\": [1, 1]}",
       "\"seq_lengths\" is for several sequences in a line"},
      {"{\"input_ids\": [1, 2], \"segment_ids\": [0, 1]}", "give each a line of its own"},
      {"{\"prompt\": \"a\", \"completion\": \"b\"}",
       "found none (its keys are \"prompt\", \"completion\"); a prompt with its answer is"},
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
  EXPECT_THAT(message_of<IoError>([&] { Dataset::open({"/nowhere/x.jsonl"}, nullptr, {}); }),
              HasSubstr("/nowhere/x.jsonl"));
  EXPECT_THAT(message_of<ConfigError>([&] { load("a", {}, "data.csv"); }),
              HasSubstr(".jsonl or .txt"));
  EXPECT_THAT(message_of<FormatError>([&] { load("\n\n"); }), HasSubstr("no examples"));
  write_file(directory_ / "text.jsonl", "{\"text\": \"a\"}");
  EXPECT_THAT(
      message_of<ConfigError>([&] { Dataset::open({directory_ / "text.jsonl"}, nullptr, {}); }),
      HasSubstr("text.jsonl:1: text needs a tokenizer"));
  std::filesystem::remove(directory_ / "tokenizer" / "chat_template.jinja");
  encoder_ = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  EXPECT_THAT(message_of<ConfigError>([&] { load(one_line(kChat)); }),
              HasSubstr("has no chat template (chat_template.jinja)"));
}

TEST_F(DatasetTest, SeveralFilesAndPatternsInOrder) {
  std::filesystem::create_directories(directory_ / "in[1]");
  write_file(directory_ / "in[1]" / "b.jsonl", "{\"input_ids\": [4, 4]}\n{\"input_ids\": [5]}");
  write_file(directory_ / "in[1]" / "a.jsonl", "{\"input_ids\": [3]}");
  write_file(directory_ / "in[1]" / "a.txt", "c");
  write_file(directory_ / "z?.jsonl", "{\"input_ids\": [6]}");  // a name, not a pattern
  write_file(directory_ / "zz.jsonl", "{\"input_ids\": [7]}");
  const DatasetOptions options{.vocab_size = kVocabulary};
  const auto first_ids = [&](std::vector<std::filesystem::path> files) {
    std::vector<std::int32_t> ids;
    for (const Example& example : read_all(Dataset::open(files, encoder_, options))) {
      ids.push_back(example.ids.back());
    }
    return ids;
  };
  const auto in = directory_ / "in[1]";
  EXPECT_THAT(first_ids({directory_ / "z?.jsonl", in / "*.jsonl"}), ElementsAre(6, 3, 4, 5));
  EXPECT_THAT(first_ids({in / "?.*", in / "a.jsonl"}), ElementsAre(3, kC, 4, 5, 3));
  EXPECT_THAT(message_of<IoError>([&] { first_ids({in / "*.json"}); }),
              HasSubstr("no file matches " + (in / "*.json").string()));
}

// Far more than is held in memory, so that most is read when it is asked for.
TEST_F(DatasetTest, LargeFilesAreReadAsTheyAreAskedFor) {
  constexpr std::int64_t kLines = 130'000;
  std::string contents;
  for (std::int64_t i = 0; i < kLines; ++i) {
    contents += "{\"input_ids\": [" + std::to_string(i % kVocabulary) + "," +
                std::to_string(i / kVocabulary % kVocabulary) + "]}\n";
    if (i % 1000 == 0) contents += " \r\n\n";
  }
  contents += "{\"input_ids\": [1.5]}";
  write_file(directory_ / "data.jsonl", contents);
  const auto open = [&](OnBadLine on_bad_line) {
    return Dataset::open({directory_ / "data.jsonl"}, nullptr,
                         {.vocab_size = kVocabulary, .on_bad_line = on_bad_line});
  };
  const Dataset data = open(OnBadLine::fail);
  ASSERT_EQ(data.size(), kLines + 1);
  for (std::int64_t i : {kLines - 1, std::int64_t{0}, kLines / 2, kLines - 2, kLines - 1000}) {
    SCOPED_TRACE(i);
    EXPECT_THAT(data.read(i)->ids, ElementsAre(i % kVocabulary, i / kVocabulary % kVocabulary));
  }
  EXPECT_THAT(message_of<FormatError>([&] { data.read(kLines); }),
              HasSubstr("data.jsonl:130261: \"input_ids\" holds 1.5"));
  EXPECT_EQ(open(OnBadLine::skip).read(kLines), nullptr);
  write_file(directory_ / "data.jsonl", "{}");
  EXPECT_THAT(message_of<IoError>([&] { data.read(kLines - 1); }), HasSubstr("become shorter"));
}

TEST_F(DatasetTest, BadLinesArePassedOverIfAskedFor) {
  std::vector<std::string> warnings;
  std::string contents = "{\"text\": \"a\"}\n";
  for (int i = 0; i < 20; ++i) contents += "{\"text\": 5}\n";
  contents += "{\"text\": \"b\"}\n";
  write_file(directory_ / "data.jsonl", contents);
  const Dataset data =
      Dataset::open({directory_ / "data.jsonl"}, encoder_,
                    {.vocab_size = kVocabulary,
                     .on_bad_line = OnBadLine::skip,
                     .warn = [&](const std::string& text) { warnings.push_back(text); }});
  EXPECT_EQ(data.size(), 22);
  EXPECT_EQ(read_all(data).size(), 2u);
  EXPECT_EQ(warnings.size(), 10u);
  EXPECT_THAT(warnings[0],
              HasSubstr("data.jsonl:2: \"text\" is not a string; the line is skipped"));
  // What is wrong with the run is not skipped.
  EXPECT_THROW(Dataset::open({directory_ / "data.jsonl"}, nullptr,
                             {.vocab_size = kVocabulary, .on_bad_line = OnBadLine::skip}),
               ConfigError);
}

// Most is read from the file; each bad line has one warning, and no more than ten are told.
TEST_F(DatasetTest, ThreadsMayShareOne) {
  constexpr std::int64_t kLines = 60'000, kBad = 200;
  std::string contents;
  for (std::int64_t i = 0; i < kLines; ++i) contents += "{\"input_ids\": [5,6]}\n";
  for (std::int64_t i = 0; i < kBad; ++i) contents += "{\"text\": 5}\n";
  write_file(directory_ / "data.jsonl", contents);
  std::vector<std::string> warnings;
  const Dataset data =
      Dataset::open({directory_ / "data.jsonl"}, encoder_,
                    {.vocab_size = kVocabulary,
                     .on_bad_line = OnBadLine::skip,
                     .warn = [&](const std::string& text) { warnings.push_back(text); }});
  ASSERT_FALSE(data.in_memory());
  ASSERT_THAT(warnings, ::testing::IsEmpty());
  std::atomic<int> wrong = 0;
  in_threads([&] {
    for (std::int64_t i = kLines - 10; i < kLines + kBad; ++i) {
      wrong += (data.read(i) == nullptr) != (i >= kLines);
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(warnings.size(), 10u);
}

TEST_F(DatasetTest, ThreadsMayShareAnEncoderThatHasParsedNoTemplate) {
  const Json messages = Json::parse(R"([{"role": "user", "content": "ab"}])");
  for (int trial = 0; trial < 20; ++trial) {
    const TextEncoder encoder(directory_ / "tokenizer");
    std::atomic<int> wrong = 0;
    in_threads([&] {
      const EncodedChat chat = encoder.encode_chat(text::parse_conversation(messages), true);
      wrong += chat.ids != std::vector<std::int32_t>{kUser, kA, kB, kEos};
    });
    EXPECT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace gladius::train
