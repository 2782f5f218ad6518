#include "gladius/train/constraint/schema_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "gladius/models/chat_template/conversation.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/call_reader.h"
#include "gladius/train/behaviour/json_schema.h"
#include "gladius/train/constraint/json_text.h"
#include "gladius/train/constraint/number_rule.h"
#include "gladius/train/constraint/object_rules.h"
#include "gladius/train/constraint/pattern_rule.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kManyParts = 1e9;

std::int64_t size_or(const Json& schema, const char* keyword, std::int64_t otherwise) {
  if (!schema.contains(keyword)) return otherwise;
  const double size = schema.at(keyword).get<double>();
  return size < kManyParts ? static_cast<std::int64_t>(size) : kUnbounded;
}

std::vector<std::string> types_of(const Json& schema) {
  std::vector<std::string> types{"object", "array", "string", "number", "boolean", "null"};
  const auto type = schema.find("type");
  if (type == schema.end()) return types;
  types.clear();
  for (const Json& one : type->is_array() ? *type : Json::array({*type})) {
    if (std::ranges::count(types, one.get<std::string>()) == 0) types.push_back(one);
  }
  if (std::ranges::count(types, "number") > 0) std::erase(types, "integer");
  return types;
}

// The stricter of a bound and its open form.
std::optional<NumberBound> bound_of(const Json& schema, const char* closed, const char* open,
                                    bool low) {
  std::optional<NumberBound> bound;
  if (schema.contains(closed)) bound = NumberBound{schema.at(closed).get<double>(), false};
  if (!schema.contains(open)) return bound;
  const double value = schema.at(open).get<double>();
  const bool stricter = !bound || (low ? value >= bound->value : value <= bound->value);
  return stricter ? NumberBound{value, true} : bound;
}

bool has_key(const Json& object, const char* key) { return object.contains(key); }

// Whether "additionalProperties" of one holds for other members than it would in the other.
bool differ_on_members(const Json& one, const Json& other) {
  return has_key(one, "additionalProperties") && has_key(other, "properties");
}

class SchemaCompiler {
 public:
  explicit SchemaCompiler(Grammar& grammar) : grammar_(grammar) {}

  // Of require_supported_schema.
  Choice compile(const Json& schema, const std::string& place) {
    if (schema.is_boolean()) return schema.get<bool>() ? any() : Choice();
    if (schema.contains("const") || schema.contains("enum")) return constants(schema, place);
    if (schema.contains("anyOf")) return choices(schema, place);
    Choice result;
    for (const std::string& type : types_of(schema)) {
      const Choice part = of_type(schema, type, place);
      result.insert(result.end(), part.begin(), part.end());
    }
    return result;
  }

  Choice texts(const std::vector<std::string>& texts) { return grammar_.add(leaf_of_texts(texts)); }

  Choice add_object(ObjectRule rule) {
    complete(rule);
    for (Member& member : rule.members) member.value_cost = grammar_.cost(member.value);
    rule.other_cost = grammar_.cost(rule.others);
    return grammar_.add(std::move(rule));
  }

 private:
  [[noreturn]] static void refuse(const std::string& place, const std::string& why) {
    throw FormatError(fmt::format("{}: {}", place, why));
  }

  // With the place where the rule itself is refused.
  template <class Make>
  static Choice at_place(const std::string& place, const Make& make) {
    try {
      return make();
    } catch (const FormatError& error) {
      refuse(place, error.what());
    }
  }

  // A value of any kind, nodes that refer to each other.
  Choice any() {
    if (!any_.empty()) return any_;
    any_ = texts({"true", "false", "null"});
    const auto add = [this](const Choice& more) {
      any_.insert(any_.end(), more.begin(), more.end());
    };
    add(grammar_.add(StringRule()));
    add(number({}));
    // Their nodes come next: what they hold is any of these, themselves among them.
    const NodeId array = grammar_.size(), object = array + 1;
    any_.push_back(array);
    any_.push_back(object);
    const std::int64_t cost = 1;  // a digit
    grammar_.add(ArrayRule{.items = any_, .item_cost = cost, .any = true});
    ObjectRule rule{.others = any_, .other_cost = cost, .any = true};
    complete(rule);
    grammar_.add(std::move(rule));
    return any_;
  }

  Choice constants(const Json& schema, const std::string& place) {
    const Json values =
        schema.contains("const") ? Json::array({schema.at("const")}) : schema.at("enum");
    std::vector<std::string> fitting;
    for (const Json& value : values) {
      const std::string text = written(value);
      const Json read = parse_json(text);
      if (fault_by_schema(schema, read).empty()) fitting.push_back(text);
    }
    return at_place(place, [&] { return texts(fitting); });
  }

  // The keywords beside anyOf hold together with those of each choice.
  Choice choices(const Json& schema, const std::string& place) {
    Json beside = Json::object();
    for (const auto& [name, rule] : schema.items()) {
      if (name != "anyOf" && !is_note(name)) beside[name] = rule;
    }
    Choice result;
    std::size_t index = 0;
    for (const Json& choice : schema.at("anyOf")) {
      const std::string inside = fmt::format("{}.anyOf.{}", place, index++);
      const Choice part = compile(merged(beside, choice, inside), inside);
      result.insert(result.end(), part.begin(), part.end());
    }
    return result;
  }

  static Json merged(const Json& beside, const Json& choice, const std::string& place) {
    if (beside.empty() || choice == false) return choice;
    if (choice == true) return beside;
    if (differ_on_members(beside, choice) || differ_on_members(choice, beside)) {
      refuse(place,
             "an answer cannot be constrained to an \"anyOf\" that divides \"properties\" "
             "from \"additionalProperties\"");
    }
    Json both = choice;
    for (const auto& [name, rule] : beside.items()) {
      if (!both.contains(name)) {
        both[name] = rule;
      } else if (name == "required") {
        for (const Json& member : rule) both[name].push_back(member);
      } else if (both.at(name) != rule) {
        refuse(place, fmt::format("an answer cannot be constrained to {} beside an \"anyOf\" that "
                                  "has it too",
                                  in_quotes(name)));
      }
    }
    return both;
  }

  Choice of_type(const Json& schema, const std::string& type, const std::string& place) {
    if (type == "boolean") return texts({"true", "false"});
    if (type == "null") return texts({"null"});
    if (type == "string") return string(schema, place);
    if (type == "array") return array(schema, place);
    if (type == "object") return object(schema, place);
    return at_place(place, [&] {
      return number({.low = bound_of(schema, "minimum", "exclusiveMinimum", true),
                     .high = bound_of(schema, "maximum", "exclusiveMaximum", false),
                     .whole = type == "integer"});
    });
  }

  // Equal ones are one node.
  Choice number(const NumberBounds& bounds) {
    const auto key = [](const std::optional<NumberBound>& bound) {
      return std::tuple(bound.has_value(), bound ? bound->value : 0, bound && bound->open);
    };
    const auto [known, added] =
        numbers_.try_emplace(std::tuple(key(bounds.low), key(bounds.high), bounds.whole));
    if (added) known->second = grammar_.add(number_rule(bounds));
    return known->second;
  }

  Choice string(const Json& schema, const std::string& place) {
    const StringRule rule{.least = size_or(schema, "minLength", 0),
                          .most = size_or(schema, "maxLength", kUnbounded)};
    return at_place(place, [&] {
      if (!schema.contains("pattern")) return grammar_.add(rule);
      LeafRule texts = pattern_rule(schema.at("pattern").get<std::string>(), rule.least, rule.most);
      return texts.states.empty() ? Choice() : grammar_.add(std::move(texts));
    });
  }

  Choice array(const Json& schema, const std::string& place) {
    ArrayRule rule{
        .items = schema.contains("items") ? compile(schema.at("items"), place + ".items") : any(),
        .least = size_or(schema, "minItems", 0),
        .most = size_or(schema, "maxItems", kUnbounded)};
    rule.item_cost = grammar_.cost(rule.items);
    return at_place(place, [&] { return grammar_.add(std::move(rule)); });
  }

  Choice object(const Json& schema, const std::string& place) {
    const Json properties = schema.value("properties", Json::object());
    ObjectRule rule{.least = size_or(schema, "minProperties", 0),
                    .most = size_or(schema, "maxProperties", kUnbounded)};
    if (schema.contains("additionalProperties")) {
      rule.others = compile(schema.at("additionalProperties"), place + ".additionalProperties");
    } else if (!schema.contains("properties")) {
      rule.others = any();
    }
    std::set<std::string> required;
    for (const Json& name : schema.value("required", Json::array())) required.insert(name);
    for (const auto& [name, part] : properties.items()) {
      Choice value = compile(part, fmt::format("{}.properties.{}", place, name));
      const bool needed = required.erase(name) > 0;
      if (value.empty() && needed) return {};
      // One that cannot be there keeps its name from the others.
      add_member(rule, name, std::move(value), needed);
    }
    for (const std::string& name : required) {
      // Not among the properties: it is one of the others, of which any may come if none is named.
      Choice value = schema.contains("additionalProperties") ? rule.others : any();
      if (value.empty()) return {};
      add_member(rule, name, std::move(value), true);
    }
    return at_place(place, [&] { return add_object(std::move(rule)); });
  }

  static void add_member(ObjectRule& rule, const std::string& name, Choice value, bool required) {
    rule.members.push_back(
        {.name = written(Json(name)).substr(1), .value = std::move(value), .required = required});
  }

  Grammar& grammar_;
  Choice any_;
  using BoundKey = std::tuple<bool, double, bool>;
  std::map<std::tuple<BoundKey, BoundKey, bool>, Choice> numbers_;
};

Choice space() { return {Grammar::kSpace}; }

// A schema of objects, whatever the tool says.
Json parameters_of(const Json& function) {
  Json parameters = function.value("parameters", Json());
  if (parameters.is_null()) parameters = Json::object();
  if (!parameters.is_object()) throw FormatError("\"parameters\" is no JSON Schema of an object");
  if (!parameters.contains("type")) parameters["type"] = "object";
  if (parameters.at("type") != "object") {
    throw FormatError("\"parameters\" is of another type than \"object\"");
  }
  if (!parameters.contains("properties") && !parameters.contains("additionalProperties")) {
    parameters["properties"] = Json::object();
  }
  require_supported_schema(parameters);
  return parameters;
}

Choice call_of(const Json& tool, SchemaCompiler& compiler) {
  const Json& function = text::function_of(tool);
  const Json name = function.value("name", Json());
  if (!name.is_string()) throw FormatError("a tool has no \"name\"");
  try {
    ObjectRule call{.in_order = true};
    call.members.push_back(
        {.name = "name\"", .value = compiler.texts({written(name)}), .required = true});
    call.members.push_back({.name = "arguments\"",
                            .value = compiler.compile(parameters_of(function), "parameters"),
                            .required = true});
    return compiler.add_object(std::move(call));
  } catch (const FormatError& error) {
    throw FormatError(
        fmt::format("the tool {}: {}", in_quotes(name.get<std::string>()), error.what()));
  }
}

}  // namespace

Grammar grammar_of_schema(const Json& schema) {
  require_supported_schema(schema);
  Grammar grammar;
  Choice value = SchemaCompiler(grammar).compile(schema, "schema");
  if (value.empty()) throw FormatError("schema: no answer that can be written fits it");
  grammar.root = grammar.add(SequenceRule{{space(), std::move(value)}});
  return grammar;
}

Grammar grammar_of_calls(const Json& tools, CallForm form) {
  Grammar grammar;
  SchemaCompiler compiler(grammar);
  Choice calls;
  for (const Json& tool : tools.is_array() ? tools : Json::array()) {
    const Choice call = call_of(tool, compiler);
    calls.insert(calls.end(), call.begin(), call.end());
  }
  if (calls.empty()) throw FormatError("there is no tool that can be called");
  SequenceRule answer{{space(), std::move(calls)}};
  if (form == CallForm::tagged) {
    answer.parts.insert(answer.parts.begin() + 1, compiler.texts({fmt::format("{}\n", kOpenCall)}));
  }
  if (form != CallForm::plain) {
    answer.parts.push_back(compiler.texts({fmt::format("\n{}", kCloseCall)}));
  }
  grammar.root = grammar.add(std::move(answer));
  return grammar;
}

CallForm call_form_of(std::string_view prompt) {
  return prompt.find(kOpenCall) != std::string_view::npos ? CallForm::tagged : CallForm::plain;
}

}  // namespace gladius::train
