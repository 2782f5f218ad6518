#include <algorithm>
#include <cmath>
#include <string>

#include "gladius/train/behaviour/json_schema.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMostElements = 1000;  // of what a schema asks for at least
// Values in an example: lists of lists may ask for any number.
constexpr std::size_t kMostValues = 10'000;

std::size_t least(const Json& schema, const char* keyword) {
  return static_cast<std::size_t>(std::min(schema.value(keyword, 0.0), kMostElements));
}

Json example_number(const Json& schema, bool whole) {
  double number = 0;
  if (schema.contains("maximum")) number = std::min(number, schema["maximum"].get<double>());
  if (schema.contains("exclusiveMaximum")) {
    number = std::min(number, schema["exclusiveMaximum"].get<double>() - 1);
  }
  if (schema.contains("minimum")) number = std::max(number, schema["minimum"].get<double>());
  if (schema.contains("exclusiveMinimum")) {
    const double bound = schema["exclusiveMinimum"].get<double>();
    if (number <= bound) number = bound + 1;
  }
  if (whole || number == std::floor(number)) {
    constexpr double kExact = 9007199254740992.0;
    number = std::clamp(std::ceil(number), -kExact, kExact);
    return static_cast<std::int64_t>(number);
  }
  return number;
}

// `left`: how many more values there may be; with none left what is made does not fit.
Json example_at(const Json& schema, std::size_t& left);

Json example_list(const Json& schema, std::size_t& left) {
  Json list = Json::array();
  const Json items = schema.value("items", Json(true));
  for (std::size_t i = 0; left > 0 && i < least(schema, "minItems"); ++i) {
    list.push_back(example_at(items, left));
  }
  return list;
}

// With all of its properties, as far as it may have so many.
Json example_object(const Json& schema, std::size_t& left) {
  Json object = Json::object();
  const Json properties = schema.value("properties", Json::object());
  const Json others = schema.value("additionalProperties", Json(true));
  for (const Json& name : schema.value("required", Json::array())) {
    const auto& key = name.get_ref<const std::string&>();
    object[key] = example_at(properties.contains(key) ? properties.at(key) : others, left);
  }
  const double most = schema.value("maxProperties", kMostElements);
  for (const auto& [name, part] : properties.items()) {
    const bool impossible = part.is_boolean() && !part.get<bool>();
    if (impossible || static_cast<double>(object.size()) >= most) continue;
    if (!object.contains(name)) object[name] = example_at(part, left);
  }
  for (std::size_t i = 0; left > 0 && object.size() < least(schema, "minProperties"); ++i) {
    object["member" + std::to_string(i)] = example_at(others, left);
  }
  return object;
}

std::string type_to_show(const Json& schema) {
  const auto type = schema.find("type");
  if (type != schema.end()) return type->is_array() ? type->front() : *type;
  if (schema.contains("properties") || schema.contains("required")) return "object";
  if (schema.contains("items") || schema.contains("minItems")) return "array";
  if (schema.contains("minimum") || schema.contains("maximum")) return "number";
  return "string";
}

Json example_of_type(const Json& schema, const std::string& type, std::size_t& left) {
  if (type == "object") return example_object(schema, left);
  if (type == "array") return example_list(schema, left);
  if (type == "string") return std::string(least(schema, "minLength"), 'x');
  if (type == "boolean") return true;
  if (type == "null") return nullptr;
  return example_number(schema, type == "integer");
}

// The keywords that stand beside anyOf, and those of the first of its schemas that can be met.
Json example_of_choice(const Json& schema, std::size_t& left) {
  for (const Json& choice : schema.at("anyOf")) {
    if (!choice.is_object()) continue;
    Json merged = schema;
    merged.erase("anyOf");
    merged.update(choice);
    Json example = example_at(merged, left);
    if (fault_by_schema(merged, example).empty()) return example;
  }
  return nullptr;
}

Json example_at(const Json& schema, std::size_t& left) {
  if (left == 0) return nullptr;
  --left;
  if (!schema.is_object()) return nullptr;
  if (schema.contains("const")) return schema.at("const");
  if (schema.contains("enum")) {
    const Json& choices = schema.at("enum");
    const auto fitting = std::ranges::find_if(
        choices, [&](const Json& value) { return fault_by_schema(schema, value).empty(); });
    return fitting == choices.end() ? Json() : *fitting;
  }
  if (schema.contains("anyOf")) return example_of_choice(schema, left);
  return example_of_type(schema, type_to_show(schema), left);
}

}  // namespace

std::optional<Json> example_of_schema(const Json& schema) {
  std::size_t left = kMostValues;
  Json example = example_at(schema, left);
  if (!fault_by_schema(schema, example).empty()) return std::nullopt;
  return example;
}

}  // namespace gladius::train
