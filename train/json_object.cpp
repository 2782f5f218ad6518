#include "gladius/train/json_object.h"

#include <fmt/format.h>

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"

namespace gladius {

nlohmann::ordered_json read_json_object(const std::filesystem::path& file) {
  nlohmann::ordered_json json = read_json_file(file);
  if (!json.is_object()) throw FormatError(fmt::format("{}: not a JSON object", file.string()));
  return json;
}

nlohmann::ordered_json read_optional_json(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return nullptr;
  try {
    return read_json_object(file);
  } catch (const FormatError&) {
    return nullptr;  // a damaged file is ignored
  }
}

}  // namespace gladius
