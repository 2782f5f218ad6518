#include "gladius/train/constraint/pattern_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "gladius/tensor/base/error.h"
#include "gladius/train/behaviour/pattern.h"
#include "gladius/train/constraint/json_text.h"
#include "gladius/train/constraint/schema_grammar.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_int;
using testing::Rng;
using Json = nlohmann::ordered_json;

std::string one_of(Rng& rng, const std::vector<std::string>& texts) {
  return texts[static_cast<std::size_t>(random_int(rng, 0, std::ssize(texts) - 1))];
}

std::string random_expression(Rng& rng, int depth) {
  const auto kind = random_int(rng, 0, depth > 0 ? 9 : 4);
  if (kind < 3) {
    return one_of(rng,
                  {"a", "b", "c", "1", "<", "/", "\"", "\\\\", "\\n", "é", "😀", "\\.", "-", " "});
  }
  if (kind < 5) {
    return one_of(rng, {".", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "[ab]", "[^a]", "[a-c1]",
                        "[^\\d<]", "[\\w-]", "[é-ü]", "[\\]\\\\]", "[^\\s]", "\\x61", "[-a]"});
  }
  const auto inner = [&] { return random_expression(rng, depth - 1); };
  if (kind == 5) return "(" + inner() + "|" + inner() + ")";
  if (kind == 6)
    return "(?:" + inner() + ")" +
           one_of(rng, {"*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "*?"});
  if (kind == 7) return one_of(rng, {"^", ""}) + inner() + one_of(rng, {"$", ""});
  return inner() + inner();
}

std::string random_characters(Rng& rng) {
  std::string text;
  for (auto n = random_int(rng, 0, 6); n > 0; --n) {
    text += one_of(rng, {"a", "b", "c", "1", "<", "/", "\"", "\\", "\n", "é", "😀", ".", "-", " ",
                         "\t", "\x01", "_", "]"});
  }
  return text;
}

std::int64_t characters_of(const std::string& text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
}

bool takes(const LeafRule& rule, const std::string& text) {
  if (rule.states.empty()) return false;
  std::uint32_t at = 0;
  for (const char byte : text) {
    at = follow(rule.states[at].next, static_cast<unsigned char>(byte));
    if (at == kNoEdge) return false;
  }
  return rule.states[at].rest == 0;
}

// Any text of the rule.
std::string random_walk(Rng& rng, const LeafRule& rule) {
  std::string text;
  std::uint32_t at = 0;
  while (rule.states[at].rest > 0) {
    const Edges& next = rule.states[at].next;
    const bool hurries = text.size() > 40;
    auto edge = next[static_cast<std::size_t>(random_int(rng, 0, std::ssize(next) - 1))];
    if (hurries) {
      edge = *std::ranges::min_element(
          next, {}, [&](const auto& one) { return rule.states[one.second].rest; });
    }
    text += static_cast<char>(edge.first);
    at = edge.second;
  }
  return text;
}

// What dialects differ in: classes beyond ASCII, line ends.
bool is_disputed(const std::string& text) {
  return std::ranges::any_of(text,
                             [](char c) { return (c & 0x80) != 0 || (c >= '\n' && c <= '\r'); });
}

struct Tally {
  int right = 0, wrong = 0, refused = 0;
};

void check_expression(Rng& rng, const std::string& expression, Tally& tally) {
  SCOPED_TRACE(expression);
  const Pattern pattern(expression);
  const auto least = random_int(rng, 0, 3);
  const auto most = random_int(rng, 0, 1) == 0 ? kUnbounded : least + random_int(rng, 0, 3);
  LeafRule rule;
  try {
    rule = pattern_rule(expression, least, most);
  } catch (const FormatError&) {
    ++tally.refused;
    return;
  }
  for (const LeafRule::State& state : rule.states) {
    std::set<unsigned char> bytes;
    for (const auto& edge : state.next) EXPECT_TRUE(bytes.insert(edge.first).second);
  }
  for (int i = 0; i < 60; ++i) {
    const std::string text = random_characters(rng);
    const std::int64_t size = characters_of(text);
    const bool fits = pattern.matches(text) && size >= least && size <= most;
    const bool taken = takes(rule, written(Json(text)));
    (fits ? tally.right : tally.wrong) += 1;
    EXPECT_TRUE(fits || !taken) << Json(text).dump() << " is taken";
    EXPECT_TRUE(taken || !fits || is_disputed(text)) << Json(text).dump() << " is not taken";
  }
  for (int i = 0; i < 20 && !rule.states.empty(); ++i) {
    const std::string walk = random_walk(rng, rule);
    const std::string text = Json::parse(walk).get<std::string>();
    EXPECT_EQ(written(Json(text)), walk);
    EXPECT_TRUE(pattern.matches(text)) << walk;
    EXPECT_GE(characters_of(text), least) << walk;
    EXPECT_LE(characters_of(text), most) << walk;
  }
}

// Against PCRE2, which judges answers.
TEST(PatternRule, HoldsWhatTheExpressionMatches) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  Tally tally;
  for (int round = 0; round < 60; ++round) check_expression(rng, random_expression(rng, 3), tally);
  EXPECT_GT(tally.right, 100);
  EXPECT_GT(tally.wrong, 100);
  EXPECT_LT(tally.refused, 10);
}

TEST(PatternRule, CommonExpressions) {
  const auto takes_text = [](const char* expression, const char* text) {
    return takes(pattern_rule(expression, 0, kUnbounded), written(Json(text)));
  };
  EXPECT_TRUE(takes_text("^\\d{4}-\\d{2}-\\d{2}$", "2024-02-29"));
  EXPECT_FALSE(takes_text("^\\d{4}-\\d{2}-\\d{2}$", "2024-2-29"));
  EXPECT_TRUE(takes_text("^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$", "a.b@c.org"));
  EXPECT_FALSE(takes_text("^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$", "a.b@c."));
  EXPECT_TRUE(takes_text("^(?:[A-Z]{3}|[a-z]+)?$", ""));
  EXPECT_TRUE(takes_text("b", "abc"));
  EXPECT_TRUE(takes_text("^</b>$", "</b>"));
  EXPECT_TRUE(takes_text("^.$", "\u00e9"));
  EXPECT_FALSE(takes_text("^a$", "a\n"));
  EXPECT_TRUE(pattern_rule("a$b", 0, kUnbounded).states.empty());
  EXPECT_TRUE(pattern_rule("^aaa$", 0, 2).states.empty());
}

TEST(PatternRule, WhatIsNotRegularIsRefusedByName) {
  const auto fault = [](const char* expression) {
    return message_of<FormatError>([&] { pattern_rule(expression, 0, kUnbounded); });
  };
  EXPECT_EQ(
      fault("(?=a)b"),
      "\"pattern\" \"(?=a)b\": an answer cannot be constrained to a look-around (?=, ?!, ?<)");
  EXPECT_THAT(fault("(?<!a)b"), HasSubstr("a look-around"));
  EXPECT_THAT(fault("(a)\\1"), HasSubstr("\\1, a reference"));
  EXPECT_THAT(fault("\\bword\\b"), HasSubstr("constrained to \\b"));
  EXPECT_THAT(fault("\\p{L}+"), HasSubstr("constrained to \\p"));
  EXPECT_THAT(fault("(?i)a"), HasSubstr("a group with flags"));
  EXPECT_THAT(fault("a++"), HasSubstr("possessive"));
  EXPECT_THAT(fault("[[:alpha:]]"), HasSubstr("[:name:]"));
  EXPECT_THAT(fault("a{2000}"), HasSubstr("more than 1000 repeats"));
  EXPECT_THAT(fault("(a{500}){500}"), HasSubstr("more than 4000 states"));
  EXPECT_THAT(fault("(a|b)*a(a|b){20}"), HasSubstr("takes more than 20000 states"));
  EXPECT_THAT(message_of<FormatError>([] {
                grammar_of_schema({{"type", "string"}, {"pattern", "(?=a)"}});
              }),
              HasSubstr("schema: \"pattern\" \"(?=a)\""));
}

}  // namespace
}  // namespace gladius::train
