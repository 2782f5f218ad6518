// What a data set comes to: examples, tokens, labels, bytes of text.
#include "gladius/train/data/data_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/train/data/dataset.h"
#include "gladius/train/data/labelled_bytes.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using testing::TemporaryDirectory;
using testing::write_file;

constexpr std::int64_t kModelVocabulary = 265;
constexpr const char* kChatLine =
    R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "bc"}, )"
    R"({"role": "user", "content": "c"}, {"role": "assistant", "content": "a"}]})";

class DataCountsTest : public ::testing::Test {
 protected:
  DataCountsTest() {
    testing::write_tiny_tokenizer(directory_ / "tokenizer");
    // A letter for a role.
    write_file(directory_ / "tokenizer" / "chat_template.jinja",
               "{% for m in messages %}{{ 'd' if m.role == 'user' else 'e' }}{{ m.content }}"
               "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}e{% endif %}");
    encoder_ = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  }

  TemporaryDirectory directory_;
  std::int64_t bytes_of(const char* file, DatasetOptions options = {}) const {
    options.vocab_size = kModelVocabulary;
    const Dataset data = Dataset::open({directory_ / file}, encoder_, options);
    std::int64_t bytes = 0;
    for (std::int64_t i = 0; i < data.size(); ++i) {
      bytes += labelled_bytes(*data.read(i), encoder_->token_bytes());
    }
    return bytes;
  }

  std::shared_ptr<const TextEncoder> encoder_;
};

TEST_F(DataCountsTest, CountsWhatIsCutAndWhatHasNoLabel) {
  write_file(directory_ / "data.jsonl",
             "{\"input_ids\": [1, 2, 3]}\n"
             "{\"input_ids\": [1, 2, 3, 4, 5, 6]}\n"
             "{\"input_ids\": [1, 2, 3, 4, 5], \"labels\": [-100, -100, -100, 5, 6]}\n"
             "{\"text\": 5}\n"
             "{\"input_ids\": [9]}\n");
  const Dataset data = Dataset::open(
      {directory_ / "data.jsonl"}, encoder_,
      {.max_seq_len = 3, .vocab_size = kModelVocabulary, .on_bad_line = OnBadLine::skip});
  const DataCounts counts = data.counts();
  EXPECT_EQ(counts, (DataCounts{.examples = 4,
                                .tokens = 10,
                                .labels = 5,
                                .longest = 3,
                                .truncated = 2,
                                .cut_tokens = 5,
                                .lost_labels = 4,
                                .unlabelled = 2}));
  EXPECT_EQ(DataCounts::from_json(counts.to_json()), counts);
  EXPECT_EQ(describe(counts, 3),
            "4 examples, 10 tokens, 5 of them with a label; 2 examples were cut to 3 tokens, which "
            "lost 4 labels; 2 examples have no label");
  EXPECT_EQ(DataCounts::from_json(nullptr), DataCounts{});
  EXPECT_THROW(DataCounts::from_json({{"tokens", -1}}), FormatError);
  EXPECT_THROW(DataCounts::from_json({1}), FormatError);
  // The pieces of a text go on; nothing is lost.
  write_file(directory_ / "data.txt", "abcab");
  const Dataset text = Dataset::open({directory_ / "data.txt"}, encoder_,
                                     {.max_seq_len = 4, .vocab_size = kModelVocabulary});
  EXPECT_EQ(text.counts().truncated, 0);
}

TEST_F(DataCountsTest, LabelsStandForTheBytesOfTheirText) {
  const auto bytes = [&](const std::string& line, const DatasetOptions& options = {}) {
    write_file(directory_ / "data.jsonl", line);
    return bytes_of("data.jsonl", options);
  };
  EXPECT_EQ(bytes(R"({"text": "ab c"})"), 4);
  EXPECT_EQ(bytes(R"({"text": " a"})"), 2);
  EXPECT_EQ(bytes(R"({"text": "ab c"})", {.max_seq_len = 2}), 2);
  EXPECT_EQ(bytes(R"({"input_ids": [260, 261, 259, 262, 2]})"), 3);  // not the first, not </s>
  EXPECT_EQ(bytes(R"({"input_ids": [260, 261, 262], "labels": [-100, 262, -100]})"), 1);
  // The headers' letters are the assistant's own only where all tokens count.
  EXPECT_EQ(bytes(kChatLine), 8);
  EXPECT_EQ(bytes(kChatLine, {.loss_on = LossOn::assistant}), 3);
  write_file(directory_ / "data.txt", "abcab");
  EXPECT_EQ(bytes_of("data.txt", {.max_seq_len = 2}), 5);
}

// Characters of several tokens, and the space that the tokenizer puts before a text.
TEST_F(DataCountsTest, BytesAreThoseOfTheText) {
  const text::TokenBytes entries(std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer");
  const std::string text = "Hello w\u00f6rld \u4f60\u597d \U0001f600!";
  const auto ids = entries.tokenizer().encode(text);
  const auto length = std::ssize(ids);
  EXPECT_EQ(labelled_bytes(next_token_example(ids, length), entries), std::ssize(text));
  // The pieces of a text go on, within characters too.
  for (std::int64_t cut = 1; cut < length; ++cut) {
    const std::vector<std::int32_t> rest(ids.begin() + cut, ids.end());
    EXPECT_EQ(labelled_bytes(next_token_example(ids, cut), entries) +
                  labelled_bytes(next_token_example(rest, length), entries),
              std::ssize(text));
  }
}

}  // namespace
}  // namespace gladius::train
