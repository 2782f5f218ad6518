#include "gladius/train/optional_json.h"

#include "gladius/models/json_file.h"
#include "gladius/tensor/error.h"

namespace gladius {

nlohmann::ordered_json read_optional_json(const std::filesystem::path& file) {
  try {
    nlohmann::ordered_json json = read_json_file(file);
    if (json.is_object()) return json;
  } catch (const Error&) {
    // as good as not there
  }
  return nullptr;
}

}  // namespace gladius
