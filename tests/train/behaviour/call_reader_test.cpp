#include "gladius/train/behaviour/call_reader.h"

#include <gtest/gtest.h>

namespace gladius::train {
namespace {

// "name(arguments) ..." of all calls.
std::string calls_in(const std::string& answer) {
  std::string text;
  for (const Call& call : read_calls(answer)) {
    text += (text.empty() ? "" : " ") + call.name + call.arguments.dump();
  }
  return text;
}

TEST(CallReader, OneObject) {
  const std::string call = R"({"name": "f", "arguments": {"a": 1}})";
  for (const std::string& answer :
       {call, "\n  " + call + " ", "[" + call + "]", "```json\n" + call + "\n```",
        "```\n" + call + "```", "[TOOL_CALLS] " + call, "<|python_tag|>" + call,
        "<think>\nf or g? {\"name\": \"g\"}</think>\n\n" + call, "a </think> " + call}) {
    EXPECT_EQ(calls_in(answer), R"(f{"a":1})") << answer;
  }
}

TEST(CallReader, OtherNamesAndArgumentsAsText) {
  for (const char* answer :
       {R"({"name": "f", "parameters": {"a": 1}})", R"({"type": "function", "name": "f",
          "parameters": {"a": 1}})",
        R"({"name": "f", "arguments": "{\"a\": 1}", "id": "7"})",
        R"({"id": "7", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}})",
        R"({"parameters": {}, "arguments": {"a": 1}, "name": "f"})"}) {
    EXPECT_EQ(calls_in(answer), R"(f{"a":1})") << answer;
  }
}

TEST(CallReader, MarkedCallsAmongText) {
  const std::string call = R"({"name": "f", "arguments": {}})";
  EXPECT_EQ(calls_in("I look.\n<tool_call>\n" + call + "\n</tool_call>\nDone."), "f{}");
  EXPECT_EQ(calls_in("<tool_call>" + call), "f{}");
  EXPECT_EQ(calls_in("<tool_call>" + call + "</tool_call><tool_call>" + call + "</tool_call>"),
            "f{} f{}");
  EXPECT_EQ(calls_in("[" + call + "," + call + "]"), "f{} f{}");
}

TEST(CallReader, Python) {
  EXPECT_EQ(calls_in("[f(a=1, b=\"x\"), m.g()]"), R"(f{"a":1,"b":"x"} m.g{})");
  EXPECT_EQ(calls_in("```python\n[f(a=[1, -2.5, (True, None)],)]\n```"),
            R"(f{"a":[1,-2.5,[true,null]]})");
  EXPECT_EQ(calls_in(R"(f(5, a={'k': 'it\'s', "l": 1_000}, b=0x1F))"),
            R"(f{"a":{"k":"it's","l":1000},"b":31})");
  EXPECT_EQ(calls_in("f(a=x, b=g(c=1), d=now(), e=...)"),
            R"x(f{"a":"x","b":{"g":{"c":1}},"d":"now()","e":"..."})x");
  EXPECT_EQ(calls_in("f(a='''x\ny''' r'\\n' \"\\u00e9\\x41\\101\\q\")"),
            "f{\"a\":\"x\\ny\\\\n\u00e9AA\\\\q\"}");
  EXPECT_EQ(calls_in("f(a=1, a=2)"), R"(f{"a":2})");
  for (const char* answer : {"f(a=1, 2)",      "f(a=1) or so", "f",
                             "[f(), 1]",       "f(a=1+2)",     "f(a=b'x')",
                             "f(a=007)",       "f(a=1j)",      "f(class=1)",
                             "f(a={1, 2})",    "f(a={1: 2})",  "f(a='x)",
                             "f(a=x.y)",       "f(*a)",        "f(**a)",
                             "f(a=1__0)",      "f(a=not x)",   "I can't (sorry)",
                             "f(a='\\ud800')", "[f()]]",       "f(a=+1)",
                             "f(a=1e999)",     "f(a=[1, , 2])"}) {
    EXPECT_EQ(calls_in(answer), "") << answer;
  }
  const std::string deep = "f(a=" + std::string(90, '[') + std::string(90, ']') + ")";
  EXPECT_NE(calls_in(deep), "");
  EXPECT_EQ(calls_in("f(a=" + std::string(100'000, '[')), "");
}

TEST(CallReader, WhatIsNoCall) {
  const std::string call = R"({"name": "f", "arguments": {}})";
  for (const std::string& answer :
       {std::string(), std::string("f("), std::string("[]"), std::string("{}"),
        std::string(R"({"name": "Emma", "age": 62})"),
        std::string(R"({"name": 1, "arguments": {}})"),
        std::string(R"({"name": "f", "arguments": [1]})"),
        std::string(R"({"name": "f", "arguments": "a"})"), "The call: " + call, call + " is it",
        call.substr(0, call.size() - 1), "<think>" + call, "[" + call + ", 1]",
        "<tool_call>" + call + "</tool_call><tool_call>{</tool_call>", "```" + call,
        std::string("<tool_call></tool_call>")}) {
    EXPECT_EQ(calls_in(answer), "") << answer;
  }
}

}  // namespace
}  // namespace gladius::train
