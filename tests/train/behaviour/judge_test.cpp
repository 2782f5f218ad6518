#include "gladius/train/behaviour/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/train/behaviour/suite_evaluation.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Json = nlohmann::ordered_json;

Case make_case(const std::string& expect, const std::string& id = "1",
               const std::string& category = "c") {
  std::vector<std::string> unknown;
  return parse_cases(R"({"id": ")" + id + R"(", "category": ")" + category +
                         R"(", "messages": [{"role": "user", "content": "x"}], "expect": )" +
                         expect + "}",
                     unknown)
      .front();
}

// As the leaderboard judges parallel calls.
TEST(Judge, SeveralCalls) {
  const Case one = make_case(R"({"calls": [
      {"name": "f", "arguments": {"a": ["x", "y"]}}, {"name": "f", "arguments": {"a": ["x"]}},
      {"name": "g", "arguments": {"b": [1, ""]}}]})");
  const auto verdict = [&](const char* output) {
    const Verdict v = judge(one, output);
    EXPECT_EQ(v.right, v.reason.empty());
    return Json{v.parsed, v.name_right, v.arguments_right, v.right}.dump() + v.reason;
  };
  const std::string right = "[true,true,true,true]";
  EXPECT_EQ(verdict("[f(a='y'), f(a='x'), g()]"), right);
  EXPECT_EQ(verdict("g(b=1), f(a='y'), f(a='x')"), right);
  // The first expected call takes what it finds first, though the other would do.
  const std::string unmet = R"(none of the calls is that of "f" with {"a":["x"]})";
  EXPECT_EQ(verdict("[f(a='x'), f(a='y'), g()]"), "[true,true,false,false]" + unmet);
  EXPECT_EQ(verdict("[f(a='y'), g(), g()]"), "[true,false,false,false]" + unmet);
  EXPECT_EQ(verdict("[f(a='y'), f(a='x'), g(b=2)]"),
            R"([true,true,false,false]none of the calls is that of "g" with {"b":[1,""]})");
  EXPECT_EQ(verdict("[h(a='y'), h(a='x'), h()]").substr(0, 24), "[true,false,true,false]n");
  EXPECT_EQ(verdict("[f(a='y'), f(a='x')]"), "[true,false,false,false]2 calls instead of 3");
  EXPECT_EQ(verdict("none"), "[false,false,false,false]no call could be read");
  EXPECT_EQ(judge(one, *right_answer(one)).reason, "");
  EXPECT_EQ(describe(one.expected).substr(0, 46),
            R"(a call of "f" with {"a":["x","y"]}; a call of )");
}

const char* const kCall = R"({"call": {"name": "f", "arguments": {"a": ["x"], "b": [1, ""]}}})";

TEST(Judge, Calls) {
  const Case one = make_case(kCall);
  const auto verdict = [&](const char* output) {
    const Verdict v = judge(one, output);
    EXPECT_EQ(v.right, v.reason.empty());
    return Json{v.parsed, v.name_right, v.arguments_right, v.right}.dump() + v.reason;
  };
  EXPECT_EQ(verdict(R"({"name": "f", "arguments": {"a": "X"}})"), "[true,true,true,true]");
  EXPECT_EQ(verdict(R"({"name": "F", "arguments": {"a": "x", "b": 1}})"),
            "[true,false,true,false]a call of \"F\", not of \"f\"");
  EXPECT_EQ(verdict(R"({"name": "f", "arguments": {"a": "x", "b": 2}})"),
            "[true,true,false,false]argument \"b\" is 2, none of [1,\"\"]");
  EXPECT_EQ(verdict("f(a='x'"), "[false,false,false,false]no call could be read");
  EXPECT_EQ(verdict(R"([{"name": "f", "arguments": {"a": "x"}}, {"name": "f", "arguments": {}}])"),
            "[true,false,false,false]2 calls instead of one");
}

TEST(Judge, TextsSchemasExpressionsRefusals) {
  const auto right = [](const char* expect, const char* output) {
    return judge(make_case(expect), output).right;
  };
  EXPECT_TRUE(right(R"({"text": ["The  capital is Paris."]})", "\n the Capital is paris. "));
  EXPECT_TRUE(right(R"({"text": ["a", "b"]})", "<think>a</think>B"));
  EXPECT_FALSE(right(R"({"text": ["a", "b"]})", "a b"));
  EXPECT_TRUE(right(R"({"schema": {"required": ["a"], "type": "object"}})", R"({"a": 1})"));
  EXPECT_FALSE(right(R"({"schema": {"required": ["a"], "type": "object"}})", R"({"b": 1})"));
  EXPECT_FALSE(judge(make_case(R"({"schema": {}})"), "Here: {}").parsed);
  EXPECT_TRUE(right(R"({"regex": "\\b4[0-9]\\b"})", "It is 42."));
  EXPECT_FALSE(right(R"({"regex": "^4[0-9]$"})", "It is 42."));
  EXPECT_TRUE(right(R"({"regex": "^$"})", " "));
  EXPECT_FALSE(right(R"({"regex": "^(a+)+$"})", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
  EXPECT_TRUE(right(R"({"refusal": true})", "I can't help with that."));
  EXPECT_FALSE(right(R"({"refusal": true})", "Sure."));
  EXPECT_FALSE(right(R"({"refusal": true})",
                     R"({"name": "say", "arguments": {"text": "I can't help with that."}})"));
}

// Right answers with characters of JSON put in, taken out and exchanged: judged, whatever they are.
TEST(Judge, AnyAnswerIsJudged) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const Case cases[] = {make_case(kCall),
                        make_case(R"({"schema": {"type": "object", "items": {}}})"),
                        make_case(R"({"regex": "^(a|b)*\\{"})"), make_case(R"({"text": ["a"]})"),
                        make_case(R"({"refusal": true})")};
  const std::string_view characters = "{}[]\",:\\ \n0e9-.tfnu<>`/|a";
  std::size_t right = 0, rounds = 0;
  for (; rounds < 5000; ++rounds) {
    std::string output = random() % 3 == 0 ? "<tool_call>" : random() % 2 == 0 ? "```\n" : "";
    output += R"({"name": "f", "arguments": {"a": "x", "b": 1e0}})";
    if (random() % 2 == 0) output += output[0] == '`' ? "\n```" : "</tool_call>";
    for (auto i = random() % 4; i > 0; --i) {
      const std::size_t at = random() % output.size();
      const char c = characters[random() % characters.size()];
      switch (random() % 3) {
        case 0:
          output.insert(at, random() % 20 == 0 ? 300 : 1, c);
          break;
        case 1:
          output.erase(at, 1);
          break;
        default:
          output[at] = c;
      }
    }
    const Verdict verdict = judge(cases[random() % std::size(cases)], output);
    EXPECT_EQ(verdict.right, verdict.reason.empty()) << output;
    right += verdict.right;
  }
  EXPECT_GT(right, 0u);
  EXPECT_LT(right, rounds);
}

TEST(Judge, RightAnswers) {
  EXPECT_EQ(right_answer(make_case(kCall)), R"({"name":"f","arguments":{"a":"x","b":1}})");
  EXPECT_EQ(right_answer(make_case(R"({"text": ["a", "b"]})")), "a");
  EXPECT_EQ(right_answer(make_case(R"({"schema": {"type": "array", "minItems": 1,
                                       "items": {"enum": [3]}}})")),
            "[3]");
  EXPECT_FALSE(right_answer(make_case(R"({"schema": {"pattern": "^a$"}})")));
  EXPECT_FALSE(right_answer(make_case(R"({"regex": "a"})")));
  const Case refusal = make_case(R"({"refusal": true})");
  EXPECT_TRUE(judge(refusal, *right_answer(refusal)).right);
}

TEST(SuiteEvaluation, CountsByCategory) {
  const Suite suite{.cases = {make_case(kCall, "1", "tools"), make_case(R"({"text": ["a"]})", "2"),
                              make_case(kCall, "3", "tools"), make_case(R"({"regex": "b"})", "4"),
                              make_case(R"({"call": {"name": "g", "arguments": {"a": [[["X"]]]}}})",
                                        "5", "tools")},
                    .skipped = {{"why", 2}}};
  const char* outputs[] = {R"({"name": "f", "arguments": {"a": "x"}})", "A",
                           R"({"name": "f", "arguments": {"a": 1}})", "c", "cut off"};
  std::vector<Answer> answers;
  for (const char* output : outputs) answers.push_back({.text = output, .cut = false, .ids = {}});
  answers.back().cut = true;
  const SuiteEvaluation evaluation = evaluate_suite(suite, std::move(answers));
  const Json json = to_json(evaluation, suite, /*each_case=*/true);
  EXPECT_EQ(json["cases"], 5);
  EXPECT_EQ(json["all_right"], 2);
  EXPECT_EQ(json["cut"], 1);
  EXPECT_EQ(json["skipped"], Json({{"why", 2}}));
  std::vector<std::string> names;
  for (const auto& [name, score] : json["categories"].items()) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("tools", "c"));
  Json tools = json["categories"]["tools"];
  tools.erase("interval");
  EXPECT_EQ(tools, Json({{"cases", 3},
                         {"parsed", 2},
                         {"calls", 3},
                         {"name_right", 2},
                         {"arguments_right", 1},
                         {"all_right", 1}}));
  EXPECT_EQ(json["categories"]["c"]["calls"], 0);
  EXPECT_EQ(json["categories"]["c"]["parsed"], 2);
  EXPECT_EQ(json["ceiling"],
            Json({{"cases", 4}, {"all_right", 4}, {"unknown", 1}, {"failed", Json::array()}}));
  ASSERT_EQ(json["answers"].size(), 5u);
  EXPECT_EQ(json["answers"][1]["output"], "A");
  EXPECT_EQ(json["answers"][1]["right"], true);
  EXPECT_EQ(json["answers"][4]["cut"], true);
  EXPECT_FALSE(to_json(evaluation, suite, false).contains("answers"));
}

TEST(SuiteEvaluation, TheCeilingNamesCasesThatCannotBeRight) {
  std::vector<std::string> unknown;
  const Case one =
      parse_cases(
          R"({"id": "x", "category": "c", "messages": [{"role": "user", "content": "x"}],
          "tools": [{"name": "f", "parameters": {"properties": {"a": {"type": "string"}},
                     "required": ["b"]}}], "expect": {"call": {"name": "f", "arguments": {"a": ["y"]}}}})",
          unknown)
          .front();
  const Ceiling ceiling = find_ceiling({.cases = {one}, .skipped = {}});
  EXPECT_EQ(ceiling.all_right, 0);
  EXPECT_THAT(ceiling.failed, ElementsAre("x"));
}

// By hand: n = 10, z = 1.96, of (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
TEST(Scores, WilsonIntervals) {
  const auto near = [](std::int64_t right, std::int64_t cases, double low, double high) {
    const Interval interval = wilson_interval(right, cases);
    EXPECT_NEAR(interval.low, low, 5e-5) << right;
    EXPECT_NEAR(interval.high, high, 5e-5) << right;
  };
  near(5, 10, 0.2366, 0.7634);
  near(0, 10, 0, 0.2775);
  near(10, 10, 0.7225, 1);
  near(1, 1, 0.2065, 1);
  near(15, 23, 0.4489, 0.8119);
}

}  // namespace
}  // namespace gladius::train
