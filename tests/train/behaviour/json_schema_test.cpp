#include "gladius/train/behaviour/json_schema.h"

#include <gtest/gtest.h>

#include <random>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

struct SchemaCase {
  const char *schema, *fits, *does_not;  // lists of values
};

TEST(JsonSchema, WhatFits) {
  const SchemaCase cases[] = {
      {R"({"type": "string"})", R"(["", "a"])", R"([1, null, [], {}, true])"},
      {R"({"type": "integer"})", "[1, -2, 3.0]", R"([1.5, "1", true])"},
      {R"({"type": "number"})", "[1, 1.5]", R"(["1", true])"},
      {R"({"type": ["null", "boolean"]})", "[null, true]", R"([0, "null"])"},
      {R"({"enum": ["a", 1, {"x": 1, "y": 2}]})", R"(["a", 1.0, {"y": 2, "x": 1}])",
       R"(["b", true, {"x": 1}])"},
      {R"({"const": 0})", "[0, 0.0]", "[false, null, 1]"},
      {R"({"required": ["a"]})", R"([{"a": null}, {"a": 1, "b": 2}, [], 1])", R"([{}, {"b": 1}])"},
      {R"({"properties": {"a": {"type": "integer"}}})", R"([{}, {"a": 1}, {"b": "x"}, 7])",
       R"([{"a": "x"}])"},
      {R"({"properties": {"a": {}}, "additionalProperties": false})", R"([{}, {"a": 1}])",
       R"([{"b": 1}, {"a": 1, "b": 1}])"},
      {R"({"properties": {"a": {}}, "additionalProperties": {"type": "null"}})",
       R"([{"a": 1, "b": null}])", R"([{"b": 1}])"},
      {R"({"minProperties": 1, "maxProperties": 2})", R"([{"a": 1}, [], "x"])",
       R"([{}, {"a": 1, "b": 1, "c": 1}])"},
      {R"({"items": {"type": "string"}, "minItems": 1, "maxItems": 2})",
       R"([["a"], ["a", "b"], {}, 0])", R"([[], ["a", 1], ["a", "b", "c"]])"},
      {R"({"minLength": 2, "maxLength": 3})", R"(["ab", "äöü", 1])", R"(["a", "äöüß"])"},
      {R"({"pattern": "^[a-z]+$"})", R"(["abc", 5])", R"(["", "a1", "A"])"},
      {R"({"minimum": 0, "maximum": 1.5})", R"([0, 1.5, "x", true])", "[-1, 2]"},
      {R"({"exclusiveMinimum": 0, "exclusiveMaximum": 2})", "[1, 0.1]", "[0, 2, -1, 2.0]"},
      {R"({"anyOf": [{"type": "string"}, {"minimum": 5, "type": "number"}]})", R"(["a", 5])",
       "[4, null]"},
      {"true", "[1, {}]", "[]"},
      {"false", "[]", "[1, {}]"},
      {R"({"title": "x", "description": "y", "default": 1, "examples": [], "$schema": "z"})", "[1]",
       "[]"}};
  for (const SchemaCase& one : cases) {
    const Json schema = Json::parse(one.schema);
    EXPECT_NO_THROW(require_supported_schema(schema)) << one.schema;
    for (const Json& value : Json::parse(one.fits)) {
      EXPECT_EQ(fault_by_schema(schema, value), "") << one.schema << value;
    }
    for (const Json& value : Json::parse(one.does_not)) {
      EXPECT_NE(fault_by_schema(schema, value), "") << one.schema << value;
    }
  }
}

TEST(JsonSchema, FaultsNameThePlace) {
  const Json schema = Json::parse(
      R"({"properties": {"a": {"items": {"properties": {"b": {"type": "integer"}}}}}})");
  EXPECT_EQ(fault_by_schema(schema, Json::parse(R"({"a": [{}, {"b": "x"}]})")),
            R"(the answer.a[1].b, "x", is of another type than "integer" (type))");
  EXPECT_EQ(fault_by_schema(Json::parse(R"({"required": ["a"]})"), Json::parse("{}")),
            R"(the answer, {}, lacks one of ["a"] (required))");
}

TEST(JsonSchema, WhatIsNotSupportedIsRefusedByName) {
  const auto says = [](const char* schema) {
    return testing::message_of([&] { require_supported_schema(Json::parse(schema)); });
  };
  EXPECT_EQ(says(R"({"properties": {"a": {"format": "date"}}})"),
            R"(schema.properties.a: the keyword "format" of JSON Schema is not supported)");
  for (const char* keyword : {"$ref", "oneOf", "allOf", "not", "prefixItems", "multipleOf",
                              "patternProperties", "dependentRequired", "if", "uniqueItems"}) {
    EXPECT_EQ(says(Json{{"items", {{keyword, 1}}}}.dump().c_str()),
              std::string("schema.items: the keyword \"") + keyword +
                  "\" of JSON Schema is not supported");
  }
  EXPECT_EQ(says(R"({"type": "dict"})"), R"(schema.type cannot be "dict")");
  EXPECT_EQ(says(R"({"anyOf": []})"), "schema.anyOf cannot be []");
  EXPECT_EQ(says(R"({"minItems": -1})"), "schema.minItems cannot be -1");
  EXPECT_EQ(says(R"({"items": [{}]})"), "schema.items cannot be [{}]");
  EXPECT_EQ(says("[1]"), "schema is [1], which is no JSON Schema");
  EXPECT_NE(says(R"({"pattern": "("})"), "");
}

Json random_schema(std::mt19937& random, int depth) {
  const auto below = [&](unsigned n) { return random() % n; };
  switch (below(depth > 0 ? 8 : 5)) {
    case 0:
      return {{"type", "string"}, {"minLength", below(4)}, {"maxLength", 3 + below(3)}};
    case 1:
      return {{"type", "integer"}, {"minimum", static_cast<int>(below(9)) - 4}, {"maximum", 9}};
    case 2:
      return {{"type", "number"}, {"exclusiveMinimum", 1.5}, {"exclusiveMaximum", 4}};
    case 3:
      return {{"enum", {nullptr, "x", below(5)}}};
    case 4:
      return {{"type", {"boolean", "null"}}};
    case 5:
      return {
          {"type", "array"}, {"items", random_schema(random, depth - 1)}, {"minItems", below(3)}};
    case 6:
      return {{"anyOf", {random_schema(random, depth - 1), random_schema(random, depth - 1)}}};
    default:
      break;
  }
  Json schema{{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
  for (unsigned i = below(4); i > 0; --i) {
    const std::string name(1, static_cast<char>('a' + i));
    schema["properties"][name] = random_schema(random, depth - 1);
    if (below(2) == 0) schema["required"].push_back(name);
  }
  if (below(2) == 0) schema["additionalProperties"] = false;
  return schema;
}

TEST(JsonSchema, ExamplesFit) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    const Json schema = random_schema(random, 3);
    require_supported_schema(schema);
    const auto example = example_of_schema(schema);
    ASSERT_TRUE(example) << schema;
    EXPECT_EQ(fault_by_schema(schema, *example), "");
  }
  EXPECT_FALSE(example_of_schema(Json::parse(R"({"type": "string", "pattern": "^a+$"})")));
  EXPECT_FALSE(
      example_of_schema(Json::parse(R"({"type": "integer", "minimum": 2, "maximum": 1})")));
}

// Each level of these lists asks for a thousand times as much.
TEST(JsonSchema, ThereIsNoExampleOfWhatAsksForTooMuch) {
  Json lists{{"minItems", 1000}};
  EXPECT_EQ(example_of_schema(lists), Json(std::vector<std::nullptr_t>(1000)));
  for (int level = 0; level < 20; ++level) {
    lists = {{"type", "array"}, {"minItems", 1000}, {"items", lists}};
    EXPECT_FALSE(example_of_schema(lists));
  }
}

}  // namespace
}  // namespace gladius::train
