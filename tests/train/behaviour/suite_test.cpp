#include "gladius/train/behaviour/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Pair;
using ::testing::StartsWith;
using testing::write_file;
using Json = nlohmann::ordered_json;

class SuiteFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const char* name, const std::string& text) const {
    write_file(directory_ / name, text);
    return directory_ / name;
  }
  Suite read(const std::string& text) {
    return read_suite(write("suite.jsonl", text), "",
                      [this](const std::string& line) { warnings_ += line + "\n"; });
  }
  std::string fault(const std::string& text) {
    return message_of<FormatError>([&] { read(text); });
  }
  // A line with this expectation, and a tool f with a parameter a.
  static std::string line(const std::string& expect, const std::string& id = "1") {
    return R"({"id": ")" + id +
           R"(", "category": "c", "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
        "properties": {"a": {"type": "string"}}}}}], "expect": )" +
           expect + "}";
  }
  // Without the line ends that a line may not have.
  static std::string one_line(std::string text) {
    std::erase(text, '\n');
    return text;
  }

  testing::TemporaryDirectory directory_;
  std::string warnings_;
};

TEST_F(SuiteFile, Cases) {
  const Suite suite =
      read(one_line(line(R"({"call": {"name": "f", "arguments": {"a": ["x", ""]}}})", "1")) +
           "\n\n" + one_line(line(R"({"text": ["yes", "no"]})", "2")) + "\n" +
           one_line(line(R"({"schema": {"type": "object"}})", "3")) + "\n" +
           one_line(line(R"({"regex": "^a"})", "4")) + "\n" +
           one_line(line(R"({"refusal": true})", "5")));
  ASSERT_EQ(suite.cases.size(), 5u);
  const auto& call = std::get<ExpectedCall>(suite.cases[0].expected);
  EXPECT_EQ(call.name, "f");
  EXPECT_EQ(call.arguments.dump(), R"({"a":["x",""]})");
  EXPECT_EQ(call.parameters["properties"]["a"]["type"], "string");
  EXPECT_EQ(suite.cases[0].category, "c");
  EXPECT_EQ(suite.cases[0].conversation.messages.size(), 1u);
  EXPECT_THAT(std::get<ExpectedText>(suite.cases[1].expected).right, ElementsAre("yes", "no"));
  EXPECT_EQ(std::get<ExpectedSchema>(suite.cases[2].expected).schema["type"], "object");
  EXPECT_TRUE(std::get<ExpectedMatch>(suite.cases[3].expected).pattern.matches("abc"));
  EXPECT_TRUE(std::holds_alternative<ExpectedRefusal>(suite.cases[4].expected));
  EXPECT_EQ(warnings_, "");
  EXPECT_TRUE(suite.skipped.empty());
}

TEST_F(SuiteFile, BadLinesAreNamed) {
  const std::string good = one_line(line(R"({"refusal": true})", "0")) + "\n";
  const auto expectation = [&](const std::string& expect) {
    const std::string says = fault(good + one_line(line(expect)));
    EXPECT_THAT(says, StartsWith((directory_ / "suite.jsonl").string() + ":2: "));
    return says.substr(says.find(":2: ") + 4);
  };
  EXPECT_THAT(expectation("{}"),
              HasSubstr("expected an object with one of \"call\", \"calls\", \"text\""));
  EXPECT_THAT(expectation(R"({"cal": {}})"), StartsWith("\"expect\" has \"cal\"; expected one of"));
  EXPECT_THAT(expectation(R"({"text": "a"})"), StartsWith("\"text\" is \"a\", not a list"));
  EXPECT_THAT(expectation(R"({"regex": "("})"), HasSubstr("the regular expression \"(\" cannot"));
  EXPECT_THAT(expectation(R"({"schema": {"$ref": "#"}})"), HasSubstr("keyword \"$ref\""));
  EXPECT_THAT(expectation(R"({"refusal": false})"), HasSubstr("it can only be true"));
  EXPECT_THAT(expectation(R"({"call": {"name": "f"}})"), HasSubstr("expected {\"name\": ...,"));
  EXPECT_EQ(expectation(R"({"call": {"name": "g", "arguments": {}}})"),
            "the call of \"g\" is of none of the tools");
  for (const char* right : {"\"x\"", R"([{"a": 1}])", R"([[{"a": 1}]])"}) {
    EXPECT_THAT(
        expectation(R"({"call": {"name": "f", "arguments": {"a": )" + std::string(right) + "}}}"),
        StartsWith("the right values of \"a\" are "))
        << right;
  }
  EXPECT_EQ(expectation(R"({"call": {"name": "f", "arguments": {"a": []}}})"),
            "there are no right values of \"a\"");
  EXPECT_THAT(fault(good + good), HasSubstr(":2: the id \"0\" is there twice"));
  EXPECT_THAT(fault("[1]"), HasSubstr(":1: the line is [1], not an object"));
  EXPECT_THAT(fault("{"), HasSubstr("suite.jsonl:1: not valid JSON"));
  EXPECT_THAT(fault(R"({"category": "c", "expect": 1})"), HasSubstr(":1: there is no \"id\""));
  EXPECT_THAT(fault(R"({"id": 1, "expect": 1})"), HasSubstr(":1: \"id\" is 1, not a text"));
  EXPECT_THAT(fault(R"({"id": "1", "category": "c", "expect": {"refusal": true}})"),
              HasSubstr("\"messages\""));
  EXPECT_THAT(fault(R"({"id": "1", "category": "c"})"), HasSubstr("there is no \"expect\""));
  EXPECT_THAT(fault("\n"), HasSubstr("suite.jsonl: there is no case"));
}

TEST_F(SuiteFile, WhatIsPassedOverIsToldOnce) {
  std::string text;
  for (const char* id : {"1", "2"}) {
    text += R"({"id": ")" + std::string(id) + R"(", "category": "c", "note": 1, )" +
            R"("messages": [{"role": "user", "content": "x"}], "expect": {"refusal": true}})" +
            "\n";
  }
  EXPECT_EQ(read(text).cases.size(), 2u);
  EXPECT_EQ(warnings_, (directory_ / "suite.jsonl").string() +
                           ":1: \"note\" is no part of a case and is ignored, here and in later "
                           "lines\n");
}

class BfclFile : public SuiteFile {
 protected:
  Suite read_both(const std::string& questions, const std::string& answers) {
    return read_suite(write("BFCL.json", questions), write("answers.json", answers),
                      [](const std::string&) {});
  }
  static std::string question(const std::string& id, const std::string& turns,
                              const std::string& type) {
    return R"({"id": ")" + id + R"(", "question": )" + turns +
           R"(, "function": [{"name": "m.f", "description": "d", "parameters": {"type": "dict", )" +
           R"("properties": {"a": {"type": ")" + type +
           R"("}, "t": {"type": "tuple", "items": {"type": "float"}}}, "required": ["a"]}}]})" +
           "\n";
  }
  static constexpr const char* kTurn = R"([[{"role": "user", "content": "x"}]])";
};

TEST_F(BfclFile, OneCallOfPythonsTypes) {
  const std::string answer =
      R"({"id": "live_simple_0-1-2", "ground_truth": [{"m.f": {"a": [1.5]}}]})";
  const Suite suite = read_both(question("live_simple_0-1-2", kTurn, "float"), answer);
  ASSERT_EQ(suite.cases.size(), 1u);
  const Case& one = suite.cases[0];
  EXPECT_EQ(one.category, "live_simple");
  EXPECT_EQ(one.conversation.messages.dump(), R"([{"role":"user","content":"x"}])");
  EXPECT_EQ(one.conversation.tools.dump(),
            R"([{"type":"function","function":{"name":"m.f","description":"d","parameters":)"
            R"({"type":"object","properties":{"a":{"type":"number"},"t":{"type":"array",)"
            R"("items":{"type":"number"}}},"required":["a"]}}}])");
  const auto& call = std::get<ExpectedCall>(one.expected);
  EXPECT_EQ(call.name, "m.f");
  EXPECT_EQ(fault_of_arguments({{"a", 1.5}}, call), "");
  EXPECT_NE(fault_of_arguments(Json::object(), call), "");
}

TEST_F(BfclFile, OtherCasesAreSkippedAndCounted) {
  const std::string call = R"({"m.f": {"a": ["x"]}})";
  const auto answer = [](const std::string& id, const std::string& truth) {
    return R"({"id": ")" + id + R"(", "ground_truth": [)" + truth + "]}\n";
  };
  const Suite suite = read_both(
      question("simple_python_0", kTurn, "string") + question("parallel_0", kTurn, "string") +
          question("simple_java_0", kTurn, "String") +
          question("simple_python_1", kTurn, "HashMap") +
          question("multi_turn_0", R"([[{"role": "user", "content": "x"}], []])", "string") +
          question("irrelevance_0", kTurn, "string"),
      answer("simple_python_0", call) + answer("parallel_0", call + ",1") +
          answer("simple_java_0", call) + answer("simple_python_1", call) +
          answer("multi_turn_0", call));
  ASSERT_EQ(suite.cases.size(), 1u);
  EXPECT_EQ(suite.cases[0].id, "simple_python_0");
  EXPECT_THAT(
      suite.skipped,
      ElementsAre(Pair("in another language than Python", 1),
                  Pair("with answers of another form", 1), Pair("with several turns", 1),
                  Pair("with types other than Python's", 1), Pair("without a right answer", 1)));
}

TEST_F(BfclFile, SeveralCalls) {
  const Suite suite = read_both(
      question("parallel_0", kTurn, "string"),
      R"({"id": "parallel_0", "ground_truth": [{"m.f": {"a": ["x"]}}, {"m.f": {"a": ["y"]}}]})");
  ASSERT_EQ(suite.cases.size(), 1u);
  EXPECT_EQ(suite.cases[0].category, "parallel");
  const auto calls = expected_calls(suite.cases[0].expected);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].arguments.dump(), R"({"a":["y"]})");
  EXPECT_EQ(calls[1].parameters["properties"]["a"]["type"], "string");
}

TEST_F(SuiteFile, EachTurnOfTheAssistantIsACase) {
  const std::string messages = R"([{"role": "user", "content": "1"},
      {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"},
      {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]},
      {"role": "tool", "content": "4"}])";
  const auto line_of = [&](const std::string& turns, const std::string& expect) {
    return one_line(R"({"id": "m", "category": "c", "messages": )" + turns +
                    R"(, "tools": [{"name": "f"}], "expect": )" + expect + "}");
  };
  const Suite suite = read(line_of(messages, R"([null, {"call": {"name": "f", "arguments": {}}},
      {"text": ["4"]}])"));
  ASSERT_EQ(suite.cases.size(), 2u);
  EXPECT_EQ(suite.cases[0].id, "m/2");
  EXPECT_EQ(suite.cases[0].conversation.messages.size(), 3u);
  EXPECT_EQ(expected_calls(suite.cases[0].expected).size(), 1u);
  EXPECT_EQ(suite.cases[1].id, "m/3");
  EXPECT_EQ(suite.cases[1].conversation.messages.size(), 5u);
  EXPECT_EQ(suite.cases[1].conversation.tools.size(), 1u);
  // The last message is the assistant's: nothing comes after it.
  const std::string ended =
      R"([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}])";
  EXPECT_EQ(read(line_of(ended, R"([{"refusal": true}])")).cases.size(), 1u);
  EXPECT_THAT(fault(line_of(ended, R"([{"refusal": true}, null])")),
              HasSubstr(":1: \"expect\" is a list of 2; the assistant has 1 turns"));
  EXPECT_THAT(fault(line_of(ended, "[null]")), HasSubstr("has nothing but null"));
  EXPECT_THAT(fault(line_of(R"([{"role": "assistant", "content": "x"}])", R"([{"text": ["x"]}])")),
              HasSubstr("no message comes before the turn"));
}

TEST_F(BfclFile, TheAnswersAreAskedFor) {
  const auto file = write("BFCL.json", question("a_0", kTurn, "string"));
  const auto read_alone = [&] { read_suite(file, "", [](const std::string&) {}); };
  EXPECT_THAT(message_of<ConfigError>(read_alone), HasSubstr("with --answers"));
  const auto own = write("own.jsonl", one_line(line(R"({"refusal": true})")));
  EXPECT_THAT(message_of<ConfigError>([&] { read_suite(own, file, [](const std::string&) {}); }),
              HasSubstr("leave out --answers"));
  EXPECT_THAT(message_of<FormatError>([&] { read_both(question("a_0", kTurn, "string"), "{}"); }),
              HasSubstr("answers.json:1: there is no \"id\""));
  EXPECT_THAT(message_of<FormatError>([&] {
                read_both(question("a_0", kTurn, "string") + "{}",
                          R"({"id": "a_0", "ground_truth": [{"m.f": {}}]})");
              }),
              HasSubstr("BFCL.json:2: there is no \"question\""));
  EXPECT_THAT(message_of<FormatError>([&] {
                read_both(question("a_0", kTurn, "string"), R"({"id": "b", "ground_truth": []})");
              }),
              HasSubstr("there is no case that can be judged (1 skipped)"));
}

}  // namespace
}  // namespace gladius::train
