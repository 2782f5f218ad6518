#include "gladius/models/architectures/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "gladius/tensor/base/quoted.h"

namespace gladius {
namespace {

const Architecture* const kAll[] = {&kLlama, &kQwen2, &kQwen3};

std::string known_names() {
  std::string names;
  for (const Architecture* each : kAll) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", each->name);
  }
  return names;
}

std::string not_supported(const std::string& name) {
  return fmt::format("architecture {} is not supported (known: {})", in_quotes(name),
                     known_names());
}

const Architecture* find(const std::string& name, const char* Architecture::*field) {
  const auto found = std::ranges::find(
      kAll, name, [&](const Architecture* each) { return std::string(each->*field); });
  return found == std::end(kAll) ? nullptr : *found;
}

}  // namespace

const Architecture& architecture_of(const JsonFields& fields) {
  using Json = JsonFields::Json;
  const auto names = fields.has("architectures") ? fields.at("architectures") : Json::array();
  const std::string name =
      names.is_array() && !names.empty() && names[0].is_string() ? names[0].get<std::string>() : "";
  const std::string type = fields.value_or<std::string>("model_type", "");
  const Architecture* found =
      name.empty() ? find(type, &Architecture::model_type) : find(name, &Architecture::name);
  if (!found) fields.fail(not_supported(name.empty() ? type : name));
  return *found;
}

const Architecture& architecture_named(const std::string& name) {
  const Architecture* found = find(name, &Architecture::name);
  if (!found) throw ConfigError(not_supported(name));
  return *found;
}

}  // namespace gladius
