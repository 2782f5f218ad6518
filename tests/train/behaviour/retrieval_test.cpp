#include "gladius/train/behaviour/retrieval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "gladius/tensor/base/error.h"
#include "gladius/train/behaviour/judge.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using testing::Rng;

class RetrievalTest : public ::testing::Test {
 protected:
  static std::string text_of(const Case& one) {
    return one.conversation.messages.at(0).at("content").get<std::string>();
  }
  static std::string right_of(const Case& one) {
    const std::string expression = std::get<ExpectedMatch>(one.expected).pattern.expression();
    return expression.substr(4, 5);
  }
  // The part of the filler's sentences that stands before the value, and their number.
  static std::pair<double, std::int64_t> share_before(const std::string& text,
                                                      const std::string& value) {
    std::int64_t before = 0, all = 0;
    const std::size_t fact = text.find(value), begin = text.find("\n\n"), end = text.rfind("\n\n");
    for (std::size_t at = text.find("The ", begin); at < end; at = text.find("The ", at + 1)) {
      if (text.compare(at, 12, "The code of ") == 0) continue;
      ++all;
      before += at < fact ? 1 : 0;
    }
    return {all == 0 ? 0 : static_cast<double>(before) / static_cast<double>(all), all};
  }

  std::string directory_ = std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer";
  ChatPrompts chat_{directory_, text::Tokenizer::load(directory_), [](const std::string&) {}};
};

TEST_F(RetrievalTest, TextsFitTheirLengthsAndHoldTheFactAtItsDepth) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  RetrievalOptions options{
      .lengths = {testing::random_int(rng, 300, 400), testing::random_int(rng, 401, 900)},
      .depths = {0, testing::random_int(rng, 1, 99), 100},
      .cases = 2,
      .distractors = testing::random_int(rng, 0, 3),
      .seed = rng()};
  std::int64_t made = 0;
  const Suite suite = make_retrieval_suite(options, chat_, [&] { ++made; });
  ASSERT_EQ(suite.cases.size(), 12U);
  EXPECT_EQ(made, 12);
  std::size_t at = 0;
  for (const std::int64_t length : options.lengths) {
    for (const std::int64_t depth : options.depths) {
      for (int i = 0; i < 2; ++i, ++at) {
        const Case& one = suite.cases[at];
        const std::string text = text_of(one), value = right_of(one);
        SCOPED_TRACE(text);
        const auto tokens = std::ssize(chat_.encode(one.conversation));
        EXPECT_LE(tokens, length);
        EXPECT_GT(tokens, length - 80);  // a sentence more would be too long
        EXPECT_EQ(text.find(value), text.rfind(value));
        const auto [share, sentences] = share_before(text, value);
        EXPECT_NEAR(share, static_cast<double>(depth) / 100, 0.51 / static_cast<double>(sentences));
        // The key that is asked for is that of the value.
        const std::string question = text.substr(text.rfind("What is the "));
        const std::string key = question.substr(12, question.find('?') - 12);
        EXPECT_THAT(text, HasSubstr("The " + key + " is " + value + "."));
        EXPECT_TRUE(judge(one, " " + value + ".\n").right);
        EXPECT_TRUE(judge(one, "It is\n" + value + ".").right);
        EXPECT_FALSE(judge(one, value + " or 12345").right);
        EXPECT_FALSE(judge(one, value + "0").right);
      }
    }
  }
}

// Whatever other lengths and depths there are.
TEST_F(RetrievalTest, TextsDependOnSeedLengthDepthAndNumberAlone) {
  const RetrievalOptions many{.lengths = {300, 400}, .depths = {0, 50}, .cases = 2, .seed = 7};
  const RetrievalOptions one{.lengths = {400}, .depths = {50}, .cases = 2, .seed = 7};
  RetrievalOptions other = one;
  other.seed = 8;
  const Suite all = make_retrieval_suite(many, chat_), part = make_retrieval_suite(one, chat_);
  EXPECT_EQ(text_of(all.cases[6]), text_of(part.cases[0]));
  EXPECT_EQ(text_of(all.cases[7]), text_of(part.cases[1]));
  EXPECT_NE(text_of(part.cases[0]), text_of(part.cases[1]));
  EXPECT_NE(text_of(part.cases[0]), text_of(make_retrieval_suite(other, chat_).cases[0]));
}

TEST_F(RetrievalTest, TooShortALengthIsNamed) {
  EXPECT_THAT(
      testing::message_of<ConfigError>([&] { make_retrieval_suite({.lengths = {20}}, chat_); }),
      HasSubstr("--lengths 20: the facts and the question alone have "));
}

TEST_F(RetrievalTest, ScoresAreOfTheirCells) {
  const RetrievalOptions options{.lengths = {300, 400}, .depths = {0, 100}, .cases = 2};
  const Suite suite = make_retrieval_suite(options, chat_);
  std::vector<Answer> answers(8);
  for (Answer& answer : answers) answer.text = "no";
  answers[0].text = right_of(suite.cases[0]) + ".";
  answers[2].text = "It is " + right_of(suite.cases[2]) + ".";
  answers[3].text = "1" + right_of(suite.cases[3]);
  answers[7].text = "<think>" + right_of(suite.cases[7]) + "</think> none";
  const auto scores = score_retrieval(options, evaluate_suite(suite, answers));
  ASSERT_EQ(scores.size(), 4U);
  EXPECT_EQ(scores[0].right, 1);
  EXPECT_EQ(scores[0].alone, 1);
  EXPECT_EQ(scores[1].depth, 100);
  EXPECT_EQ(scores[1].right, 1);
  EXPECT_EQ(scores[1].alone, 0);
  EXPECT_EQ(scores[2].length, 400);
  EXPECT_EQ(scores[3].right, 0);
  EXPECT_EQ(scores[3].to_json().at("cases"), 2);
}

}  // namespace
}  // namespace gladius::train
