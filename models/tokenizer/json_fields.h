// Checked access to the components of a tokenizer.json.
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gladius/models/tokenizer/regex.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text::tokenizer_json {

using Json = nlohmann::json;

/// The member `name` of `object` as a T; FormatError when it is missing or of another type.
template <class T, class Object>
T field(const Object& object, const std::string& name, const std::string& role) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end()) {
    throw FormatError(fmt::format("tokenizer: {} has no \"{}\"", role, name));
  }
  try {
    return found->template get<T>();
  } catch (const Json::exception&) {
    throw FormatError(fmt::format("tokenizer: {}: \"{}\" is of the wrong type ({})", role, name,
                                  found->type_name()));
  }
}

/// Makes the stages of a Sequence from the list `member`; nothing where a stage is null.
template <class Stage, class Make>
std::vector<Stage> sequence(const Json& component, const char* member, const std::string& role,
                            Make make) {
  std::vector<Stage> stages;
  for (const Json& part : field<std::vector<Json>>(component, member, role)) {
    if (Stage stage = make(part)) stages.push_back(std::move(stage));
  }
  return stages;
}

/// As field(), with a default for a member that is missing or null.
template <class T, class Object>
T field_or(const Object& object, const std::string& name, const std::string& role, T fallback) {
  if (!object.contains(name) || object.at(name).is_null()) return fallback;
  return field<T>(object, name, role);
}

/// The pattern of a component: {"String": ...} or {"Regex": ...}.
inline Regex pattern(const Json& component, const std::string& role) {
  const Json value = field<Json>(component, "pattern", role);
  if (value.is_object() && value.contains("Regex")) {
    return Regex::from_oniguruma(field<std::string>(value, "Regex", role + " pattern"));
  }
  const auto text = field<std::string>(value, "String", role + " pattern");
  if (text.empty()) throw FormatError(fmt::format("tokenizer: {} has an empty pattern", role));
  return Regex::from_literal(text);
}

/// The member `name` as one character.
inline std::string character(const Json& component, const std::string& name,
                             const std::string& role) {
  auto text = field<std::string>(component, name, role);
  if (text.empty() || utf8::char_length(text[0]) != text.size()) {
    throw FormatError(fmt::format("tokenizer: {}: \"{}\" is not one character", role, name));
  }
  return text;
}

[[noreturn]] inline void refuse(const std::string& role, const std::string& type) {
  throw ConfigError(
      fmt::format("tokenizer: {} {} is not supported (docs/tokenizers.md)", role, in_quotes(type)));
}

}  // namespace gladius::text::tokenizer_json
