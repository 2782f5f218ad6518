#include "gladius/models/json_file.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string>

#include "gladius/tensor/error.h"

namespace gladius {

nlohmann::ordered_json read_json_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || std::filesystem::is_directory(path)) {
    throw IoError(fmt::format("cannot read {}", path.string()));
  }
  try {
    return nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{}: not valid JSON: {}", path.string(), error.what()));
  }
}

}  // namespace gladius
