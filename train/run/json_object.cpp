#include "gladius/train/run/json_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

// "/experts/0/steps" -> "experts.0.steps"
std::string dotted(std::string pointer) {
  std::ranges::replace(pointer, '/', '.');
  return pointer.substr(1);
}

}  // namespace

Json read_json_object(const std::filesystem::path& file) {
  Json json = read_json_file(file);
  if (!json.is_object()) throw FormatError(fmt::format("{}: not a JSON object", file.string()));
  return json;
}

Json read_optional_json(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return nullptr;
  try {
    return read_json_object(file);
  } catch (const FormatError&) {
    return nullptr;  // a damaged file is ignored
  }
}

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json number_or_null(const std::optional<std::int64_t>& value) {
  return value ? Json(*value) : Json();
}

std::vector<std::string> changed_keys(const Json& before, const Json& after) {
  const Json a = before.flatten(), b = after.flatten();
  std::vector<std::string> keys;
  for (const auto& [key, value] : a.items()) {
    if (b.value(key, Json()) != value) keys.push_back(dotted(key));
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key) && !value.is_null()) keys.push_back(dotted(key));
  }
  return keys;
}

}  // namespace gladius::train
