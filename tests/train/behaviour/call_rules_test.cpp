// By hand; tests/interop/behaviour_test.py compares with the published checker.
#include "gladius/train/behaviour/call_rules.h"

#include <gtest/gtest.h>

#include <random>

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// A tool with these properties, of which the first `required` are required.
ExpectedCall expected(const char* properties, const char* arguments, const char* required = "[]") {
  return {.name = "f",
          .arguments = Json::parse(arguments),
          .parameters = {{"type", "object"},
                         {"properties", Json::parse(properties)},
                         {"required", Json::parse(required)}}};
}

std::string fault(const ExpectedCall& call, const char* arguments) {
  return fault_of_arguments(Json::parse(arguments), call);
}

TEST(CallRules, ArgumentsThatAreMissingOrMore) {
  const ExpectedCall call =
      expected(R"({"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "integer"}})",
               R"({"a": ["x"], "b": [1, ""], "c": [2]})", R"(["a"])");
  EXPECT_EQ(fault(call, R"({"a": "x", "b": 1, "c": 2})"), "");
  EXPECT_EQ(fault(call, R"({"c": 2, "a": "x"})"), "");
  EXPECT_EQ(fault(call, R"({"c": 2})"), R"(argument "a" is missing)");
  EXPECT_EQ(fault(call, R"({"a": "x"})"), R"(argument "c" is missing)");
  EXPECT_EQ(fault(call, R"({"a": "x", "c": 2, "d": 1})"), R"(argument "d" is not expected)");
  EXPECT_EQ(fault(call, R"({"a": "y", "c": 2})"), R"(argument "a" is "y", none of ["x"])");
  EXPECT_EQ(fault(call, R"({"a": 1, "c": 2})"),
            R"(argument "a" is 1, which is of another type than ["x"])");
  // A parameter that the tool has and no right value is for.
  EXPECT_EQ(fault(expected(R"({"a": {"type": "string"}})", "{}"), R"({"a": "x"})"),
            R"(argument "a" is not expected)");
  EXPECT_EQ(fault(expected(R"({"a": {"type": "string"}})", "{}"), "{}"), "");
}

TEST(CallRules, TextsAreStandardized) {
  EXPECT_EQ(standardized("It's April 1, 2024 - A/B_C*^."), "it\"sapril12024abc");
  const ExpectedCall call = expected(R"({"a": {"type": "string"}})", R"({"a": ["New York, NY"]})");
  EXPECT_EQ(fault(call, R"({"a": "new-york ny."})"), "");
  EXPECT_NE(fault(call, R"({"a": "New York"})"), "");
  EXPECT_NE(fault(call, "{\"a\": \"New\\tYork, NY\"}"), "");
}

TEST(CallRules, NumbersAndBooleans) {
  const char* properties = R"({"i": {"type": "integer"}, "n": {"type": "number"},
                               "b": {"type": "boolean"}})";
  const ExpectedCall call =
      expected(properties, R"({"i": [5, ""], "n": [5, 0.5, ""], "b": [true, ""]})");
  for (const char* right :
       {R"({"i": 5})", R"({"n": 5})", R"({"n": 5.0})", R"({"n": 5e-1})", R"({"b": true})", "{}"}) {
    EXPECT_EQ(fault(call, right), "") << right;
  }
  for (const char* wrong :
       {R"({"i": 5.0})", R"({"i": "5"})", R"({"i": true})", R"({"n": true})", R"({"n": "5"})",
        R"({"b": 1})", R"({"b": "true"})", R"({"b": false})", R"({"i": null})"}) {
    EXPECT_NE(fault(call, wrong), "") << wrong;
  }
}

// The type of the first right value serves as well; then nothing is standardized.
TEST(CallRules, RightValuesOfAnotherType) {
  const ExpectedCall call = expected(R"({"i": {"type": "integer"}, "t": {"type": "string"}})",
                                     R"({"i": ["a b", ""], "t": [7, ""]})");
  EXPECT_EQ(fault(call, R"({"i": "a b"})"), "");
  EXPECT_NE(fault(call, R"({"i": "ab"})"), "");
  EXPECT_EQ(fault(call, R"({"t": 7})"), "");
  EXPECT_NE(fault(call, R"({"t": "7"})"), "");
}

TEST(CallRules, Lists) {
  const ExpectedCall call = expected(R"({"l": {"type": "array", "items": {"type": "string"}},
                                         "n": {"type": "array", "items": {"type": "number"}}})",
                                     R"({"l": [["A b", "c"]], "n": [[1, 2.5], ""]})");
  EXPECT_EQ(fault(call, R"({"l": ["a-B", "C"]})"), "");
  EXPECT_NE(fault(call, R"({"l": ["c", "a b"]})"), "");
  EXPECT_NE(fault(call, R"({"l": ["a b"]})"), "");
  EXPECT_NE(fault(call, R"({"l": "a b"})"), "");
  EXPECT_EQ(fault(call, R"({"l": ["ab", "c"], "n": [1, 2.5]})"), "");
  EXPECT_EQ(fault(call, R"({"l": ["ab", "c"], "n": []})"), "");  // as published
  EXPECT_NE(fault(call, R"({"l": ["ab", "c"], "n": [1, 2]})"), "");
}

TEST(CallRules, Objects) {
  const ExpectedCall call = expected(R"({"o": {"type": "object"}})",
                                     R"({"o": [{"a": ["X y", 3], "b": [1, ""]}, {"c": [true]}]})");
  for (const char* right :
       {R"({"o": {"a": "xy"}})", R"({"o": {"b": 1, "a": 3}})", R"({"o": {"c": true}})"}) {
    EXPECT_EQ(fault(call, right), "") << right;
  }
  for (const char* wrong : {R"({"o": {}})", R"({"o": {"b": 1}})", R"({"o": {"a": 3, "c": true}})",
                            R"({"o": {"a": 4}})", R"({"o": []})"}) {
    EXPECT_NE(fault(call, wrong), "") << wrong;
  }
}

TEST(CallRules, ListsOfObjects) {
  const ExpectedCall call = expected(R"({"l": {"type": "array", "items": {"type": "object"}}})",
                                     R"({"l": [[{"a": [1]}, {"b": ["x", ""]}]]})");
  EXPECT_EQ(fault(call, R"({"l": [{"a": 1}, {"b": "X"}]})"), "");
  EXPECT_EQ(fault(call, R"({"l": [{"a": 1}, {}]})"), "");
  for (const char* wrong : {R"({"l": [{"b": "x"}, {"a": 1}]})", R"({"l": [{"a": 1}]})",
                            R"({"l": [{"a": 2}, {}]})", R"({"l": [1, {}]})"}) {
    EXPECT_NE(fault(call, wrong), "") << wrong;
  }
}

TEST(CallRules, WithoutToolsTheRightValuesHaveTheTypes) {
  const ExpectedCall call{.name = "f",
                          .arguments = Json::parse(R"({"t": ["a b"], "n": [5, ""], "x": [null, ""],
                              "l": [[{"a": [1]}], ""], "s": [["A"], ""]})"),
                          .parameters = nullptr};
  for (const char* right : {R"({"t": "AB"})", R"({"t": "ab", "n": 5.0, "x": null})",
                            R"({"t": "ab", "l": [{"a": 1}], "s": ["a"]})"}) {
    EXPECT_EQ(fault(call, right), "") << right;
  }
  for (const char* wrong : {R"({"t": "AB", "n": "5"})", R"({"t": "AB", "n": true})",
                            R"({"t": "ab", "l": [{"a": 2}]})", R"({"t": "ab", "y": 1})"}) {
    EXPECT_NE(fault(call, wrong), "") << wrong;
  }
}

// Whatever the values are, the first of each are right, and one argument more is not.
TEST(CallRules, RightArgumentsAreRight) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return random() % n; };
  const Json values[] = {Json::parse(R"([["x y", "z"], ["", "q"]])"),
                         Json::parse("[[3, 4], [0, \"\"]]"),
                         Json::parse("[[0.5], [\"\", 2.5]]"),
                         Json::parse("[[true], [false, \"\"]]"),
                         Json::parse(R"([[["a", "B c"]], ["", []]])"),
                         Json::parse(R"([[{"a": ["", 1], "b": ["x"]}], [{"c": [""]}, ""]])")};
  const char* types[] = {"string", "integer", "number", "boolean", "array", "object"};
  for (int round = 0; round < 300; ++round) {
    Json properties = Json::object(), right = Json::object();
    for (std::size_t i = below(5); i > 0; --i) {
      const std::size_t kind = below(6);
      const std::string name = "p" + std::to_string(i);
      properties[name] = {{"type", types[kind]}};
      if (kind == 4) properties[name]["items"] = {{"type", "string"}};
      right[name] = values[kind][below(2)];
    }
    const ExpectedCall call{
        .name = "f", .arguments = right, .parameters = {{"properties", properties}}};
    Json arguments = right_arguments(call);
    EXPECT_EQ(fault_of_arguments(arguments, call), "") << right << arguments;
    arguments["more"] = 1;
    EXPECT_EQ(fault_of_arguments(arguments, call), "argument \"more\" is not expected");
  }
}

}  // namespace
}  // namespace gladius::train
