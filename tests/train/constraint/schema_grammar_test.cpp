#include "gladius/train/constraint/schema_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/train/behaviour/call_reader.h"
#include "gladius/train/behaviour/json_schema.h"
#include "gladius/train/constraint/automaton.h"
#include "support/message_of.h"
#include "train/constraint/constraint_fixture.h"

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::Rng;
using Json = nlohmann::ordered_json;

bool is_written(Automaton& automaton, std::string_view text) {
  auto state = automaton.start();
  for (const char byte : text) {
    state = automaton.step(state, static_cast<unsigned char>(byte));
    if (state == Automaton::kDead) return false;
  }
  return automaton.accepts(state);
}

struct WrittenCase {
  const char* schema;
  std::vector<const char*> yes, no;
};

TEST(SchemaGrammar, WhatMayBeWritten) {
  const WrittenCase cases[] = {
      {R"({"type": "integer"})",
       {"0", "-5", "123456789012345", " 1", "\n   1"},
       {"", "-0", "01", "1.0", "1e2", "1234567890123456", "  1", "1 "}},
      {R"({"type": "integer", "minimum": -12, "exclusiveMaximum": 130})",
       {"-12", "-9", "0", "99", "129"},
       {"-13", "-20", "130", "131", "200", "1000"}},
      {R"({"type": "number", "minimum": 0.05, "maximum": 0.5})",
       {"0.05", "0.1", "0.5", "0.50", "0.499"},
       {"0", "0.04", "0.049", "0.51", "0.501", "1", "-0.1"}},
      {R"({"type": "number", "exclusiveMinimum": -1, "exclusiveMaximum": 0})",
       {"-0.5", "-0.999"},
       {"0", "-1", "-0.0", "-1.0", "0.5"}},
      {R"({"type": "string", "minLength": 1, "maxLength": 2})",
       {"\"a\"", "\"é😀\"", "\"\\n\\u00e9\"", "\"<a\"", "\"<\\/\""},
       {"\"\"", "\"abc\"", "\"\\ud800\"", "\"</\"", "\"\n\"", "\"\xC3\"", "\"\xED\xA0\x80\"", "a"}},
      {R"({"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 2})",
       {"[null]", "[ null , null ]", "[\n  null,\n  null\n]"},
       {"[]", "[null,]", "[null,null,null]", "[,null]", "[  null]"}},
      {R"({"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"]})",
       {"{\"b\":2}", "{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}"},
       {"{}", "{\"a\":1}", "{\"b\":2,}", "{\"b\":2,\"b\":2}", "{\"b\":2,\"c\":2}"}},
      {R"({"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}})",
       {"{}", "{\"a\":1,\"b\":2}", "{\"ab\":2}", "{\"\":2}"},
       {"{\"a\":2}", "{\"\\u0061\":2}", "{\"b\":1}"}},
      {R"({"type": "object", "properties": {"a": false}, "additionalProperties": {"const": 2}})",
       {"{}", "{\"b\":2}"},
       {"{\"a\":2}", "{\"a\":1}"}},
      {R"({"enum": ["</x>", 1, 12, {"a": [1, null]}]})",
       {"\"<\\/x>\"", "1", "12", "{\"a\":[1,null]}"},
       {"\"</x>\"", "2", "121"}},
      {R"({"enum": [1, "a", "abc"], "type": "string", "pattern": "^a.+"})",
       {"\"abc\""},
       {"1", "\"a\""}},
      {R"({"anyOf": [{"type": "string", "maxLength": 1}, {"const": "abc"}], "title": "x"})",
       {"\"a\"", "\"abc\""},
       {"\"ab\"", "1"}},
      {R"({"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})",
       {"{\"a\":1}", "{\"b\":2}", "{\"b\":2,\"a\":1}"},
       {"{}"}},
      {"true",
       {"1", "[[[[[[[[1]]]]]]]]", "{\"a\":{\"b\":[null,true]}}"},
       {"[[[[[[[[[1]]]]]]]]]", "x"}},
  };
  for (const WrittenCase& one : cases) {
    const Json schema = Json::parse(one.schema);
    Automaton automaton(std::make_shared<const Grammar>(grammar_of_schema(schema)));
    for (const char* text : one.yes) EXPECT_TRUE(is_written(automaton, text)) << schema << text;
    for (const char* text : one.no) EXPECT_FALSE(is_written(automaton, text)) << schema << text;
  }
}

TEST(SchemaGrammar, WhatIsRefused) {
  const auto message = [](const char* schema) {
    return message_of([&] { grammar_of_schema(Json::parse(schema)); });
  };
  EXPECT_THAT(
      message(R"x({"properties": {"a": {"type": "string", "pattern": "(?=b)"}}})x"),
      HasSubstr(
          "schema.properties.a: \"pattern\" \"(?=b)\": an answer cannot be constrained to a"));
  EXPECT_THAT(message(R"({"type": "string", "format": "date"})"),
              HasSubstr("the keyword \"format\" of JSON Schema is not supported"));
  EXPECT_THAT(
      message(R"({"anyOf": [{"maxLength": 2}], "type": "string", "maxLength": 3})"),
      HasSubstr(
          "schema.anyOf.0: an answer cannot be constrained to \"maxLength\" beside an \"anyOf\""));
  EXPECT_THAT(message(R"({"anyOf": [{"properties": {}}], "additionalProperties": false})"),
              HasSubstr("divides \"properties\" from \"additionalProperties\""));
  EXPECT_THAT(message(R"({"type": "number", "minimum": 0.1234567890123456})"),
              HasSubstr("has more than 15 digits"));
  EXPECT_THAT(message(R"({"type": "integer", "minimum": 1e15})"),
              HasSubstr("beyond the 15 digits"));
  EXPECT_THAT(message(R"({"type": "string", "minLength": 20000})"),
              HasSubstr("schema: asks for a text of at least 20002 bytes"));
  EXPECT_THAT(
      message(
          R"({"type": "array", "items": {"minItems": 1000, "type": "array"}, "minItems": 1000})"),
      HasSubstr("schema: asks for a text of at least"));
  EXPECT_THAT(message(R"({"type": "integer", "minimum": 2, "maximum": 1})"),
              HasSubstr("no answer that can be written fits"));
  EXPECT_THAT(message("false"), HasSubstr("no answer that can be written fits"));
  EXPECT_THAT(message(R"({"enum": []})"), HasSubstr("no answer that can be written fits"));
  Json wide{{"type", "object"}};
  for (int i = 0; i < 65; ++i) wide["properties"]["p" + std::to_string(i)] = true;
  EXPECT_THAT(message_of([&] { grammar_of_schema(wide); }), HasSubstr("65 properties"));
}

const char* const kTools = R"([
  {"name": "get_weather", "description": "The weather", "parameters": {"type": "object",
   "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
   "required": ["city"]}},
  {"type": "function", "function": {"name": "now"}}])";

TEST(SchemaGrammar, CallsOfToolsAreReadAsCalls) {
  std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const Json tools = Json::parse(kTools);
  const Json parameters = tools[0]["parameters"];
  const auto vocabulary = testing::toy_vocabulary(rng, true);
  for (const CallForm form : {CallForm::plain, CallForm::tagged}) {
    GrammarConstraint constraint(vocabulary, grammar_of_calls(tools, form), {testing::kEndToken});
    bool both[2] = {false, false};
    for (int i = 0; i < 100; ++i) {
      const auto ids = testing::random_answer(rng, constraint, vocabulary->size(), 120, 8);
      const std::string text = testing::text_of(*vocabulary, ids);
      const std::vector<Call> calls = read_calls(text);
      ASSERT_EQ(calls.size(), 1u) << text;
      const bool weather = calls[0].name == "get_weather";
      both[weather ? 0 : 1] = true;
      EXPECT_EQ(fault_by_schema(weather ? parameters : Json{{"const", Json::object()}},
                                calls[0].arguments),
                "")
          << text;
      EXPECT_EQ(text.find("<tool_call>\n") <= 20, form == CallForm::tagged) << text;
    }
    EXPECT_TRUE(both[0] && both[1]);
  }
}

TEST(SchemaGrammar, ToolsThatAreRefused) {
  const auto message = [](const char* tools) {
    return message_of([&] { grammar_of_calls(Json::parse(tools), CallForm::plain); });
  };
  EXPECT_THAT(message("[]"), HasSubstr("there is no tool"));
  EXPECT_THAT(message("null"), HasSubstr("there is no tool"));
  EXPECT_THAT(message("[{}]"), HasSubstr("a tool has no \"name\""));
  EXPECT_THAT(message(R"([{"name": "f", "parameters": {"type": "array"}}])"),
              HasSubstr("the tool \"f\": \"parameters\" is of another type"));
  EXPECT_THAT(message(R"([{"name": "f", "parameters": {"properties": {"a": {"oneOf": []}}}}])"),
              HasSubstr("the tool \"f\": schema.properties.a: the keyword \"oneOf\""));
  EXPECT_EQ(call_form_of("...<tool_call>..."), CallForm::tagged);
  EXPECT_EQ(call_form_of("[TOOL_CALLS]"), CallForm::plain);
}

}  // namespace
}  // namespace gladius::train
