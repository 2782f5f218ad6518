#include "gladius/train/behaviour/call_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "gladius/models/chat_template/text.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/json_values.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// The types that Python's json makes of a value.
enum class Kind { text, integer, real, boolean, list, object, null };

constexpr std::pair<std::string_view, Kind> kTypes[] = {
    {"string", Kind::text}, {"integer", Kind::integer}, {"number", Kind::real},
    {"float", Kind::real},  {"boolean", Kind::boolean}, {"array", Kind::list},
    {"tuple", Kind::list},  {"object", Kind::object},   {"dict", Kind::object},
    {"null", Kind::null},   {"any", Kind::text}};

std::optional<Kind> kind_named(const std::string& type) {
  const auto* found = std::ranges::find(kTypes, std::string_view(type),
                                        [](const auto& known) { return known.first; });
  return found == std::end(kTypes) ? std::nullopt : std::optional(found->second);
}

Kind kind_of(const Json& value) {
  if (value.is_string()) return Kind::text;
  if (value.is_boolean()) return Kind::boolean;
  if (value.is_number_float()) return Kind::real;
  if (value.is_number()) return Kind::integer;
  if (value.is_array()) return Kind::list;
  return value.is_object() ? Kind::object : Kind::null;
}

// A schema's one type; nothing where it has none, or a list of them.
std::optional<Kind> type_of(const Json& schema) {
  const auto type = schema.find("type");
  if (type == schema.end() || !type->is_string()) return std::nullopt;
  return kind_named(type->get_ref<const std::string&>());
}

// Null where the object has no such member, or is none.
const Json& member_of(const Json& object, std::string_view name) {
  static const Json kNone;
  const auto member = object.find(name);
  return member == object.end() ? kNone : *member;
}

// That of the first right value but "".
std::optional<Kind> kind_of_answers(const Json& right) {
  for (const Json& value : right) {
    if (!is_left_out(value)) return kind_of(value);
  }
  return std::nullopt;
}

bool may_be_left_out(const Json& right) { return std::ranges::any_of(right, is_left_out); }

Json standard_form(const Json& value) {
  return value.is_string() ? Json(standardized(value.get<std::string>())) : value;
}

Json standard_elements(const Json& list) {
  Json out = Json::array();
  for (const Json& element : list) out.push_back(standard_form(element));
  return out;
}

bool equals_one_of(const Json& value, const Json& right) {
  return has_value(right, value, Booleans::are_numbers);
}

bool is_right_text(const Json& value, const Json& right) {
  const std::string text = standardized(value.get<std::string>());
  return std::ranges::any_of(right, [&](const Json& answer) {
    return answer.is_string() && standardized(answer.get<std::string>()) == text;
  });
}

bool is_right_list(const Json& value, const Json& right) {
  const Json elements = standard_elements(value);
  return std::ranges::any_of(right, [&](const Json& answer) {
    // As published: where the list may be left out, it may also be empty.
    if (is_left_out(answer)) return elements.empty();
    return answer.is_array() &&
           equal_values(elements, standard_elements(answer), Booleans::are_numbers);
  });
}

bool is_right_object(const Json& value, const Json& answer) {
  if (!value.is_object() || !answer.is_object()) return false;
  for (const auto& [name, member] : value.items()) {
    const auto right = answer.find(name);
    if (right == answer.end()) return false;
    if (!equals_one_of(standard_form(member), standard_elements(*right))) return false;
  }
  return std::ranges::all_of(answer.items(), [&](const auto& member) {
    return value.contains(member.key()) || may_be_left_out(member.value());
  });
}

bool is_right_list_of_objects(const Json& value, const Json& right) {
  return std::ranges::any_of(right, [&](const Json& answer) {
    if (is_left_out(answer)) return value.empty();
    return answer.is_array() && std::ranges::equal(value, answer, is_right_object);
  });
}

// How an argument is compared once its type is known to serve.
struct Type {
  Kind kind = Kind::null;
  std::optional<Kind> items = {};
  bool other = false;  // it has the right values' type, which is not the parameter's
};

bool is_right_value(const Json& value, const Type& type, const Json& right) {
  if (type.other) return equals_one_of(value, right);
  switch (type.kind) {
    case Kind::object:
      return std::ranges::any_of(
          right, [&](const Json& answer) { return is_right_object(value, answer); });
    case Kind::list:
      return type.items == Kind::object ? is_right_list_of_objects(value, right)
                                        : is_right_list(value, right);
    case Kind::text:
      return is_right_text(value, right);
    default:
      return equals_one_of(value, right);
  }
}

// As published: the elements have the type of "items" or of a right list's first element, by any
// one of the right values, and "" holds for all.
bool has_item_types(const Json& list, Kind items, const Json& right) {
  return std::ranges::any_of(right, [&](const Json& answer) {
    if (!answer.is_array()) return true;
    const auto of_answer = kind_of_answers(answer);
    return std::ranges::all_of(list, [&](const Json& element) {
      return kind_of(element) == items || kind_of(element) == of_answer;
    });
  });
}

// Of a parameter without a type: that of a right value; whole and real numbers are of one.
std::optional<Type> type_by_answers(const Json& value, const Json& right) {
  for (const Json& answer : right) {
    if (is_left_out(answer)) continue;
    const bool numbers = value.is_number() && answer.is_number();
    if (!numbers && kind_of(answer) != kind_of(value)) continue;
    const bool objects = answer.is_array() && kind_of_answers(answer) == Kind::object;
    return Type{.kind = kind_of(value),
                .items = objects ? std::optional(Kind::object) : std::nullopt};
  }
  return std::nullopt;
}

// Nothing where the argument is of no type that serves.
std::optional<Type> type_for(const Json& value, const Json& schema, const Json& right) {
  const auto expected = type_of(schema);
  if (!expected) return type_by_answers(value, right);
  const bool whole_for_real = *expected == Kind::real && kind_of(value) == Kind::integer;
  const Kind kind = whole_for_real ? Kind::real : kind_of(value);
  const auto of_answers = kind_of_answers(right);
  const bool other = of_answers && of_answers != expected;
  if (kind != expected) {
    return of_answers == kind ? std::optional(Type{.kind = kind, .other = true}) : std::nullopt;
  }
  Type type{.kind = kind, .other = other};
  if (kind == Kind::list) type.items = type_of(member_of(schema, "items"));
  if (type.items && !has_item_types(value, *type.items, right)) return std::nullopt;
  return type;
}

std::string fault_of_argument(const std::string& name, const Json& value, const Json& schema,
                              const Json& right) {
  const auto type = type_for(value, schema, right);
  if (!type) {
    return fmt::format("argument {} is {}, which is of another type than {}", in_quotes(name),
                       shown(value), shown(right));
  }
  if (is_right_value(value, *type, right)) return {};
  return fmt::format("argument {} is {}, none of {}", in_quotes(name), shown(value), shown(right));
}

// The first one in the list of names that the arguments lack.
std::string missing_argument(const Json& arguments, const Json& required) {
  for (const Json& name : required) {
    if (name.is_string() && !arguments.contains(name.get_ref<const std::string&>())) {
      return fmt::format("argument {} is missing", shown(name));
    }
  }
  return {};
}

// Of an object of lists the first values; anything else as it stands.
Json first_values(const Json& right) {
  if (!right.is_object() || !std::ranges::all_of(right, &Json::is_array)) return right;
  Json object = Json::object();
  for (const auto& [name, values] : right.items()) {
    const auto value = std::ranges::find_if_not(values, is_left_out);
    if (value != values.end()) object[name] = *value;
  }
  return object;
}

// A right value as an argument.
Json as_argument(const Json& right) {
  if (!right.is_array()) return first_values(right);
  Json list = Json::array();
  for (const Json& element : right) list.push_back(first_values(element));
  return list;
}

}  // namespace

bool is_known_type(const std::string& type) { return kind_named(type).has_value(); }

std::string standardized(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(" ,./-_*^").find(c) == std::string_view::npos) out += c;
  }
  out = text::jinja::to_lower(out);
  std::ranges::replace(out, '\'', '"');
  return out;
}

std::string fault_of_arguments(const Json& arguments, const ExpectedCall& expected) {
  std::string fault = missing_argument(arguments, member_of(expected.parameters, "required"));
  if (!fault.empty()) return fault;
  const Json& properties = member_of(expected.parameters, "properties");
  for (const auto& [name, value] : arguments.items()) {
    const auto right = expected.arguments.find(name);
    const bool known = expected.parameters.is_null() || properties.contains(name);
    if (right == expected.arguments.end() || !known) {
      return fmt::format("argument {} is not expected", in_quotes(name));
    }
    fault = fault_of_argument(name, value, member_of(properties, name), *right);
    if (!fault.empty()) return fault;
  }
  for (const auto& [name, right] : expected.arguments.items()) {
    if (!arguments.contains(name) && !may_be_left_out(right)) {
      return fmt::format("argument {} is missing", in_quotes(name));
    }
  }
  return {};
}

Json right_arguments(const ExpectedCall& expected) {
  Json arguments = Json::object();
  for (const auto& [name, right] : expected.arguments.items()) {
    const auto value = std::ranges::find_if_not(right, is_left_out);
    if (value != right.end()) arguments[name] = as_argument(*value);
  }
  return arguments;
}

}  // namespace gladius::train
