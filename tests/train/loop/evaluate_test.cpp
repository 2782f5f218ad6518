#include "gladius/train/loop/evaluate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

#include "gladius/autograd/grad_mode.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::Json;
using testing::read_file;
using testing::Rng;
using testing::write_file;

constexpr std::int32_t kEnd = 2;  // </s>

class EvaluateTest : public ::testing::Test {
 protected:
  // Letters, spaces and characters of several bytes, most of which are several tokens.
  static std::string random_text(Rng& rng) {
    constexpr const char* kParts[] = {" ", "  ", "the", "a", "W", "\u00f6", "\u4f60", "\U0001f600"};
    std::string text;
    for (auto left = testing::random_int(rng, 2, 40); left > 0; --left) {
      text += kParts[testing::random_int(rng, 0, std::ssize(kParts) - 1)];
    }
    return text;
  }

  Evaluation evaluate_lines(const std::string& lines, std::shared_ptr<const TextEncoder> encoder) {
    write_file(directory_ / "data.jsonl", lines);
    return *evaluate(*model_, Dataset::open({directory_ / "data.jsonl"}, std::move(encoder),
                                            {.vocab_size = model_->config().vocab_size}));
  }

  // What it costs to predict each token but the first from those before it, in bits and float64.
  double bits(const std::vector<std::int32_t>& ids) const {
    const NoGrad no_grad;
    const std::vector<std::int64_t> row(ids.begin(), ids.end());
    const Tensor logits = model_->forward(Tensor::from(row, {1, std::ssize(row)})).value();
    double nats = 0;
    for (std::size_t t = 0; t + 1 < ids.size(); ++t) {
      const auto values =
          logits.select(0, 0).select(0, static_cast<std::int64_t>(t)).to_vector<double>();
      double sum = 0;
      for (const double value : values) sum += std::exp(value);
      nats += std::log(sum) - values[static_cast<std::size_t>(ids[t + 1])];
    }
    return nats / std::numbers::ln2;
  }

  testing::TemporaryDirectory directory_;
  std::shared_ptr<const TextEncoder> encoder_ = std::make_shared<const TextEncoder>(
      std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer");
  std::unique_ptr<LanguageModel> model_ =
      testing::tiny_model(testing::tiny_config(encoder_->tokenizer().vocab_size()), 1);
};

TEST_F(EvaluateTest, BitsPerByteAreThoseOfTheText) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const text::Tokenizer& tokenizer = encoder_->tokenizer();
  std::string with_start, without;
  double bits_with_start = 0, bits_without = 0;
  std::int64_t bytes_with_start = 0, bytes_without = 0;
  for (int i = 0; i < 5; ++i) {
    const std::string text = random_text(rng);
    // <s> comes first: all of the text has labels.
    with_start += Json{{"text", text}}.dump() + "\n";
    bits_with_start += bits(encoder_->encode(text));
    bytes_with_start += std::ssize(text);
    // The first token has no label; </s> costs something and is no text.
    auto ids = tokenizer.encode(text, /*add_special_tokens=*/false);
    bytes_without += std::ssize(text) - std::ssize(tokenizer.decode({ids.front()}));
    ids.push_back(kEnd);
    without += Json{{"input_ids", ids}}.dump() + "\n";
    bits_without += bits(ids);
  }
  const Evaluation texts = evaluate_lines(with_start, encoder_);
  EXPECT_EQ(texts.bytes, bytes_with_start);
  EXPECT_NEAR(*texts.bits_per_byte * static_cast<double>(bytes_with_start) / bits_with_start, 1,
              1e-5);
  const Evaluation ids = evaluate_lines(without, encoder_);
  EXPECT_EQ(ids.bytes, bytes_without);
  EXPECT_NEAR(*ids.bits_per_byte * static_cast<double>(bytes_without) / bits_without, 1, 1e-5);
}

TEST_F(EvaluateTest, WithoutATokenizerOrTextThereAreNoBitsPerByte) {
  const std::string ends = R"({"input_ids": [2, 2]})";
  const Evaluation unknown = evaluate_lines(ends, nullptr);
  EXPECT_FALSE(unknown.bytes || unknown.bits_per_byte);
  const Json json = unknown.to_json();
  EXPECT_TRUE(json.at("bytes").is_null() && json.at("bits_per_byte").is_null());
  const Evaluation no_text = evaluate_lines(ends, encoder_);
  EXPECT_EQ(no_text.bytes, 0);
  EXPECT_FALSE(no_text.bits_per_byte);
  EXPECT_EQ(no_text.to_json().at("bytes"), 0);
  EXPECT_TRUE(no_text.to_json().at("bits_per_byte").is_null());
}

// A run whose held-out text is four bytes, each of them a token behind <s>.
class RunOnTextTest : public ::testing::Test {
 protected:
  RunOnTextTest() {
    write_file(run_.directory / "student.json", testing::tiny_config(kVocabulary).dump());
    for (const char* name : {"tokenizer", "expert"}) {
      testing::write_tiny_tokenizer(run_.directory / name);
    }
    write_file(run_.directory / "eval.jsonl", R"({"text": "ab c"})");
  }

  RunConfig config() const {
    Json file = run_.distillation_file();
    file["student"]["tokenizer"] = "tokenizer";
    file["data"]["eval"] = "eval.jsonl";
    file["eval_every"] = 4;
    return run_.config(file);
  }
  std::filesystem::path out() const { return run_.directory / "out"; }

  // To the end; what it tells.
  std::vector<std::string> execute(bool resume) const {
    std::vector<std::string> told;
    distill(config(), out(), resume,
            {.begin = [](const auto&, const auto&) {},
             .step = [](const auto&) {},
             .info = [&](const std::string& text) { told.push_back(text); },
             .warn = [](const auto&) {},
             .stop_requested = [] { return false; }});
    return told;
  }
  Json read_json(const char* name) const { return Json::parse(read_file(out() / name)); }

  static constexpr std::int64_t kVocabulary = 265;  // of the tiny tokenizer
  testing::TinyRun run_{kVocabulary};
};

std::string shown_bits(const Json& evaluation) {
  return fmt::format("{:.4f}", evaluation.at("bits_per_byte").get<double>());
}

// The expert's are of the same text.
TEST_F(RunOnTextTest, BitsPerByteStandWhereverAnEvaluationDoes) {
  const std::vector<std::string> told = execute(/*resume=*/false);
  const Json student = read_json("evaluation.json");
  const Json expert = read_json("expert_evaluations.json").at("experts").at(0);
  for (const Json& evaluation : {student, expert}) {
    EXPECT_EQ(evaluation.at("bytes"), 4);
    EXPECT_NEAR(evaluation.at("bits_per_byte").get<double>(),
                evaluation.at("cross_entropy").get<double>() / std::numbers::ln2, 1e-9);
  }
  const auto last = read_metrics(out() / "metrics.jsonl").back().evaluation;
  EXPECT_EQ(last->bits_per_byte, student.at("bits_per_byte").get<double>());
  const std::string of_student = shown_bits(student), of_expert = shown_bits(expert);
  EXPECT_THAT(told, Contains(AllOf(HasSubstr(", " + of_student + " bits per byte over 4 tokens"),
                                   HasSubstr(", " + of_expert + " bits per byte; expert two: "))));
  EXPECT_THAT(
      read_file(out() / "report.md"),
      AllOf(HasSubstr(" | " + of_student + " | 4 |\n"), HasSubstr(" | " + of_expert + " | 4 |\n"),
            HasSubstr("| Step | Cross-entropy | Perplexity | Bits per byte |\n"),
            HasSubstr(" | " + of_student + " |\n"),
            HasSubstr("| Held-out bits per byte | " + of_student + " |")));
}

// A run that an earlier version began: its expert is not evaluated again.
TEST_F(RunOnTextTest, EvaluationsOfEarlierVersionsAreRead) {
  testing::execute(config(), out(), false, 5);
  Json experts = read_json("expert_evaluations.json");
  for (Json& expert : experts.at("experts")) {
    expert.erase("bits_per_byte");
    expert.erase("bytes");
  }
  write_file(out() / "expert_evaluations.json", experts.dump(2) + "\n");
  EXPECT_THAT(execute(/*resume=*/true),
              Contains(::testing::ContainsRegex(
                  "bits per byte over 4 tokens.*; expert one: [^;]*, perplexity [0-9.]+;")));
  EXPECT_FALSE(read_json("expert_evaluations.json").at("experts").at(0).contains("bytes"));
  EXPECT_THAT(read_file(out() / "report.md"),
              ::testing::ContainsRegex("\\| expert one \\| [^\n]* \\| - \\| 4 \\|"));
}

}  // namespace
}  // namespace gladius::train
