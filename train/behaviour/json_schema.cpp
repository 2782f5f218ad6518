#include "gladius/train/behaviour/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "gladius/models/chat_template/text.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/json_values.h"
#include "gladius/train/behaviour/pattern.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

bool is_whole(const Json& value) {
  return value.is_number() && std::floor(value.get<double>()) == value.get<double>();
}
bool is_finite_number(const Json& value) {
  return value.is_number() && std::isfinite(value.get<double>());
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return is_finite_number(value) && is_whole(value);
  if (type == "number") return is_finite_number(value);
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return type == "null" && value.is_null();
}

// What a keyword's own value has to be.
bool is_type_name(const Json& value) {
  constexpr std::string_view kNames[] = {"string", "integer", "number", "boolean",
                                         "array",  "object",  "null"};
  return value.is_string() && std::ranges::count(kNames, value.get<std::string_view>()) > 0;
}
bool is_type(const Json& value) {
  if (!value.is_array()) return is_type_name(value);
  return !value.empty() && std::ranges::all_of(value, is_type_name);
}
bool is_size(const Json& value) {
  return is_finite_number(value) && is_whole(value) && value.get<double>() >= 0;
}
bool is_list(const Json& value) { return value.is_array(); }
bool is_list_of_texts(const Json& value) {
  return value.is_array() && std::ranges::all_of(value, &Json::is_string);
}
bool is_anything(const Json&) { return true; }
bool is_schema(const Json& value) { return value.is_object() || value.is_boolean(); }
bool is_object_of_schemas(const Json& value) {
  return value.is_object() && std::ranges::all_of(value, is_schema);
}
bool is_list_of_schemas(const Json& value) {
  return value.is_array() && !value.empty() && std::ranges::all_of(value, is_schema);
}
bool is_text(const Json& value) { return value.is_string(); }

// Faults of values: what is wrong, and for those in the value its place.
std::string fault_at(const std::string& place, const Json& schema, const Json& value);

double number_of(const Json& value) { return value.get<double>(); }
double size_of_text(const Json& value) {
  return static_cast<double>(text::jinja::text_length(value.get_ref<const std::string&>()));
}
double size_of_value(const Json& value) { return static_cast<double>(value.size()); }

template <bool (Json::*Applies)() const, double (*Measure)(const Json&), bool Least>
std::string fault_of_bound(const std::string&, const Json& bound, const Json& value) {
  if (!(value.*Applies)()) return {};
  const double measure = Measure(value), limit = number_of(bound);
  return (Least ? measure >= limit : measure <= limit) ? "" : "is beyond the bound";
}
template <bool Least>
std::string fault_of_open_bound(const std::string&, const Json& bound, const Json& value) {
  if (!value.is_number()) return {};
  const double number = number_of(value), limit = number_of(bound);
  return (Least ? number > limit : number < limit) ? "" : "is beyond the bound";
}

std::string fault_of_type(const std::string&, const Json& types, const Json& value) {
  const auto fits = [&](const Json& type) { return has_type(value, type.get<std::string>()); };
  const bool fit = types.is_array() ? std::ranges::any_of(types, fits) : fits(types);
  return fit ? "" : "is of another type than";
}

std::string fault_of_enum(const std::string&, const Json& choices, const Json& value) {
  return has_value(choices, value, Booleans::are_apart) ? "" : "is none of";
}

std::string fault_of_const(const std::string&, const Json& constant, const Json& value) {
  return equal_values(constant, value, Booleans::are_apart) ? "" : "is not";
}

std::string fault_of_pattern(const std::string&, const Json& pattern, const Json& value) {
  if (!value.is_string()) return {};
  return Pattern(pattern.get<std::string>()).matches(value.get_ref<const std::string&>())
             ? ""
             : "does not match";
}

std::string fault_of_any(const std::string& place, const Json& schemas, const Json& value) {
  const bool fits = std::ranges::any_of(
      schemas, [&](const Json& schema) { return fault_at(place, schema, value).empty(); });
  return fits ? "" : "fits none of";
}

std::string fault_of_required(const std::string&, const Json& names, const Json& value) {
  if (!value.is_object()) return {};
  const bool has_all = std::ranges::all_of(
      names, [&](const Json& name) { return value.contains(name.get_ref<const std::string&>()); });
  return has_all ? "" : "lacks one of";
}

// A keyword that looks at a value itself.
struct Keyword {
  std::string_view name;
  bool (*is_well_formed)(const Json&);
  std::string (*fault)(const std::string& place, const Json& rule, const Json& value);
};

std::string no_fault(const std::string&, const Json&, const Json&) { return {}; }

constexpr Keyword kKeywords[] = {
    {"type", is_type, fault_of_type},
    {"enum", is_list, fault_of_enum},
    {"const", is_anything, fault_of_const},
    {"anyOf", is_list_of_schemas, fault_of_any},
    {"required", is_list_of_texts, fault_of_required},
    {"minProperties", is_size, fault_of_bound<&Json::is_object, size_of_value, true>},
    {"maxProperties", is_size, fault_of_bound<&Json::is_object, size_of_value, false>},
    {"minItems", is_size, fault_of_bound<&Json::is_array, size_of_value, true>},
    {"maxItems", is_size, fault_of_bound<&Json::is_array, size_of_value, false>},
    {"minLength", is_size, fault_of_bound<&Json::is_string, size_of_text, true>},
    {"maxLength", is_size, fault_of_bound<&Json::is_string, size_of_text, false>},
    {"pattern", is_text, fault_of_pattern},
    {"minimum", is_finite_number, fault_of_bound<&Json::is_number, number_of, true>},
    {"maximum", is_finite_number, fault_of_bound<&Json::is_number, number_of, false>},
    {"exclusiveMinimum", is_finite_number, fault_of_open_bound<true>},
    {"exclusiveMaximum", is_finite_number, fault_of_open_bound<false>},
    // What looks at the parts of a value is below.
    {"properties", is_object_of_schemas, no_fault},
    {"additionalProperties", is_schema, no_fault},
    {"items", is_schema, no_fault},
    // What says something to people.
    {"title", is_anything, no_fault},
    {"description", is_anything, no_fault},
    {"default", is_anything, no_fault},
    {"examples", is_anything, no_fault},
    {"$schema", is_anything, no_fault},
    {"$comment", is_anything, no_fault},
};

const Keyword* find_keyword(std::string_view name) {
  const auto* keyword = std::ranges::find(kKeywords, name, &Keyword::name);
  return keyword == std::end(kKeywords) ? nullptr : keyword;
}

std::string fault_of_members(const std::string& place, const Json& schema, const Json& value) {
  const auto properties = schema.find("properties");
  const auto others = schema.find("additionalProperties");
  for (const auto& [name, member] : value.items()) {
    const std::string inside = fmt::format("{}.{}", place, name);
    const bool known = properties != schema.end() && properties->contains(name);
    if (!known && others == schema.end()) continue;
    std::string fault = fault_at(inside, known ? properties->at(name) : *others, member);
    if (!fault.empty()) return fault;
  }
  return {};
}

std::string fault_of_items(const std::string& place, const Json& schema, const Json& value) {
  const auto items = schema.find("items");
  if (items == schema.end()) return {};
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::string fault = fault_at(fmt::format("{}[{}]", place, i), *items, value[i]);
    if (!fault.empty()) return fault;
  }
  return {};
}

std::string fault_at(const std::string& place, const Json& schema, const Json& value) {
  if (schema.is_boolean()) return schema.get<bool>() ? "" : fmt::format("{} is not allowed", place);
  for (const auto& [name, rule] : schema.items()) {
    const std::string fault = find_keyword(name)->fault(place, rule, value);
    if (!fault.empty()) {
      return fmt::format("{}, {}, {} {} ({})", place, shown(value), fault, shown(rule), name);
    }
  }
  if (value.is_object()) return fault_of_members(place, schema, value);
  return value.is_array() ? fault_of_items(place, schema, value) : "";
}

void require_supported_at(const std::string& place, const Json& schema) {
  if (schema.is_boolean()) return;
  if (!schema.is_object()) {
    throw FormatError(fmt::format("{} is {}, which is no JSON Schema", place, shown(schema)));
  }
  for (const auto& [name, rule] : schema.items()) {
    const Keyword* const keyword = find_keyword(name);
    const std::string inside = fmt::format("{}.{}", place, name);
    if (keyword == nullptr) {
      throw FormatError(fmt::format("{}: the keyword {} of JSON Schema is not supported", place,
                                    in_quotes(name)));
    }
    if (!keyword->is_well_formed(rule)) {
      throw FormatError(fmt::format("{} cannot be {}", inside, shown(rule)));
    }
    if (name == "pattern") Pattern(rule.get<std::string>());
    if (name == "items" || name == "additionalProperties") require_supported_at(inside, rule);
    if (name != "properties" && name != "anyOf") continue;
    for (const auto& [key, part] : rule.items()) {
      require_supported_at(fmt::format("{}.{}", inside, key), part);
    }
  }
}

}  // namespace

bool is_note(std::string_view keyword) {
  const Keyword* const known = find_keyword(keyword);
  return known != nullptr && known->is_well_formed == is_anything && known->fault == no_fault;
}

void require_supported_schema(const Json& schema) { require_supported_at("schema", schema); }

std::string fault_by_schema(const Json& schema, const Json& value) {
  return fault_at("the answer", schema, value);
}

}  // namespace gladius::train
