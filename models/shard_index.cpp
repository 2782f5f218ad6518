#include "gladius/models/shard_index.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius {
namespace {

using Json = nlohmann::ordered_json;

// A name from the index must not lead out of the directory, nor be cut at a NUL by the system.
bool is_file_name(const std::string& name) {
  constexpr std::size_t kLongest = 255;
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name.size() <= kLongest;
}

std::map<std::string, std::string> read_weight_map(const Json& json, const std::string& where) {
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw FormatError(fmt::format("{}: \"weight_map\" is missing or no object", where));
  }
  std::map<std::string, std::string> map;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string() || !is_file_name(file.get<std::string>())) {
      throw FormatError(fmt::format(
          "{}: weight_map gives {} for {}; the name of a file in the directory is expected", where,
          shown(file), in_quotes(tensor)));
    }
    map.insert_or_assign(tensor, file.get<std::string>());
  }
  if (map.empty()) throw FormatError(fmt::format("{}: weight_map is empty", where));
  return map;
}

// Other than a number of bytes counts as none: transformers does not read it.
std::optional<std::uint64_t> read_total_size(const Json& json) {
  const Json metadata = json.value("metadata", Json());
  if (!metadata.is_object() || !metadata.contains("total_size")) return std::nullopt;
  const Json& size = metadata["total_size"];
  if (size.is_number_unsigned()) return size.get<std::uint64_t>();
  // Some writers count in floating point.
  const double number = size.is_number_float() ? size.get<double>() : -1;
  if (!(number >= 0 && number <= 0x1p53)) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

}  // namespace

ShardIndex ShardIndex::load(const std::filesystem::path& path) {
  return parse(read_json_file(path), path.string());
}

ShardIndex ShardIndex::parse(const Json& json, const std::string& where) {
  return {.weight_map = read_weight_map(json, where), .total_size = read_total_size(json)};
}

}  // namespace gladius
