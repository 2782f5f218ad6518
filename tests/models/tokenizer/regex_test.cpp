#include "gladius/models/tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gladius/models/tokenizer/oniguruma.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kQwen[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::vector<std::string> matches(const Regex& regex, const std::string& text) {
  std::vector<std::string> found;
  for (const auto& [begin, end] : regex.find_all(text))
    found.push_back(text.substr(begin, end - begin));
  return found;
}

std::string error_of(const std::string& pattern) {
  try {
    Regex::from_oniguruma(pattern);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Regex, QwensExpressionCutsAsItsTrapsWant) {
  const Regex qwen = Regex::from_oniguruma(kQwen);
  EXPECT_THAT(matches(qwen, "123"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(matches(qwen, "it'\u017f I'LL"), ElementsAre("it", "'\u017f", " I", "'LL"));
  EXPECT_THAT(matches(qwen, "a   b\n\n c"), ElementsAre("a", "  ", " b", "\n\n", " c"));
  // U+180E is no white space, though PCRE2's own \s has it.
  EXPECT_THAT(matches(qwen, "\u180e!"), ElementsAre("\u180e!"));
}

TEST(Regex, KnowsTheCharactersOfUnicode16) {
  // A letter of Unicode 15, a digit of Unicode 16, and a symbol of Unicode 16.
  EXPECT_THAT(matches(Regex::from_oniguruma(kQwen), "\U00031350\U00016130\U0001CC00\U00031351"),
              ElementsAre("\U00031350", "\U00016130", "\U0001CC00\U00031351"));
}

TEST(Regex, WordCharactersAreTheReferences) {
  const Regex word = Regex::from_oniguruma(R"(\w+)");
  EXPECT_THAT(matches(word, "a\u0301_\u203f\u00b2 \u2460\u24b6-"),
              ElementsAre("a\u0301_\u203f\u00b2", "\u24b6"));
  EXPECT_THAT(matches(Regex::from_oniguruma(R"(\W)"), "a-\u00b2"), ElementsAre("-"));
}

TEST(Regex, LongRunsStayWithinTheBounds) {
  const Regex qwen = Regex::from_oniguruma(kQwen);
  const std::string spaces(12'000'000, ' ');
  EXPECT_EQ(qwen.find_all(spaces).size(), 1u);
  EXPECT_EQ(qwen.find_all(spaces + "a").size(), 2u);
  // Needs more stack than compiled code has.
  EXPECT_EQ(Regex::from_oniguruma("(?:ab|cd)+").find_all(std::string(200'000, 'a')).size(), 0u);
}

TEST(Regex, ExpressionsWithoutBoundFailInsteadOfHanging) {
  const Regex regex = Regex::from_oniguruma("(?:a|a)+b");
  EXPECT_THROW(regex.find_all(std::string(60, 'a') + "cb"), Error);
}

TEST(Regex, OtherConstructsAreRefusedByName) {
  for (const std::string construct :
       {"\\b", "\\h", "\\R", "(?m:", "(?<name", "[[:alpha:]", "a&&", "{,3}", "a{2}+", "\\1"}) {
    const bool in_class = construct == "a&&";
    const std::string pattern = in_class ? "[" + construct + "b]" : construct + ")";
    EXPECT_THROW(oniguruma_to_pcre2(pattern), ConfigError) << pattern;
  }
  EXPECT_THAT(error_of("x\\b"), HasSubstr("\\b"));
  EXPECT_THAT(error_of("(unclosed"), HasSubstr("(unclosed"));
  EXPECT_THAT(error_of("[unclosed"), HasSubstr("[unclosed"));
  EXPECT_THAT(error_of("a*"), HasSubstr("it can match nothing"));
  EXPECT_THAT(error_of("\\"), HasSubstr("not supported"));
}

}  // namespace
}  // namespace gladius::text
