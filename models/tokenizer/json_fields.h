// Checked access to the components of a tokenizer.json.
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "gladius/tensor/error.h"

namespace gladius::tokenizer_json {

using Json = nlohmann::json;

/// The member `name` of `object` as a T; FormatError when it is missing or of another type.
template <class T>
T field(const Json& object, const std::string& name, const std::string& role) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end()) {
    throw FormatError(fmt::format("tokenizer: {} has no \"{}\"", role, name));
  }
  try {
    return found->get<T>();
  } catch (const Json::exception&) {
    throw FormatError(fmt::format("tokenizer: {}: \"{}\" is of the wrong type ({})", role, name,
                                  found->type_name()));
  }
}

/// As field(), with a default for a member that is missing or null.
template <class T>
T field_or(const Json& object, const std::string& name, const std::string& role, T fallback) {
  if (!object.contains(name) || object.at(name).is_null()) return fallback;
  return field<T>(object, name, role);
}

/// The literal text of a pattern {"String": ...}; regular expressions are refused.
inline std::string string_pattern(const Json& component, const std::string& role) {
  const Json pattern = field<Json>(component, "pattern", role);
  if (pattern.is_object() && pattern.contains("Regex")) {
    throw ConfigError(fmt::format("tokenizer: {} with a Regex pattern is not supported", role));
  }
  const auto text = field<std::string>(pattern, "String", role + " pattern");
  if (text.empty()) throw FormatError(fmt::format("tokenizer: {} has an empty pattern", role));
  return text;
}

[[noreturn]] inline void refuse(const std::string& role, const std::string& type) {
  throw ConfigError(fmt::format("tokenizer: {} \"{}\" is not supported", role, type));
}

}  // namespace gladius::tokenizer_json
