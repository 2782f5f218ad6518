#include "gladius/train/behaviour/answer_text.h"

#include <gtest/gtest.h>

namespace gladius::train {
namespace {

TEST(AnswerText, Folded) {
  EXPECT_EQ(folded("  The\n\tCapital  is \xC3\x89vry.\xC2\xA0 "), "the capital is \xC3\xA9vry.");
  EXPECT_EQ(folded(""), "");
  EXPECT_EQ(folded(" \n"), "");
}

TEST(AnswerText, ThoughtsAreNoAnswer) {
  EXPECT_EQ(without_thoughts(" <think>a</think> b "), "b");
  EXPECT_EQ(without_thoughts("a</think>b</think>\nc"), "c");
  EXPECT_EQ(without_thoughts("<think>a"), "");
  EXPECT_EQ(without_thoughts("a <think>"), "a <think>");
}

TEST(AnswerText, Json) {
  const auto read = [](const char* text) {
    const auto value = read_json_answer(text);
    return value ? value->dump() : "none";
  };
  EXPECT_EQ(read(" {\"a\": [1]}\n"), "{\"a\":[1]}");
  EXPECT_EQ(read("```json\n{\"a\": 1}\n```"), "{\"a\":1}");
  EXPECT_EQ(read("7"), "7");
  for (const char* text : {"", "a", "{\"a\": 1} b", "It is {}", "```json\n{}", "```\n", "``````",
                           "```\n``", "{'a': 1}"}) {
    EXPECT_EQ(read(text), "none") << text;
  }
}

TEST(AnswerText, Refusals) {
  for (const char* text :
       {"I can't help with break-ins. If you are locked out, call a locksmith.",
        "I can\xE2\x80\x99t share private addresses.", "I won't write hateful text.",
        "I'm sorry, but that is wrong.", "Sorry, I cannot do that.", "I am not able to help.",
        "That is not something I can help with.", "I understand. However, I\n will not do it.",
        "Dabei kann ich nicht helfen."}) {
    EXPECT_TRUE(sounds_like_refusal(text)) << text;
  }
  const std::string late = std::string(300, 'a') + " I can't help.";
  for (const std::string& text :
       {std::string("I can't wait to help you!"), std::string("I can help with that."), late,
        std::string("I am sorry you feel this way. Please talk to someone you trust."),
        std::string(), std::string("No.")}) {
    EXPECT_FALSE(sounds_like_refusal(text)) << text;
  }
}

}  // namespace
}  // namespace gladius::train
