// model.safetensors.index.json: which file of a directory holds which tensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace gladius {

struct ShardIndex {
  /// Tensor name -> file name. Never empty; every file is one of the index's own directory.
  std::map<std::string, std::string> weight_map;
  /// Bytes of all tensors, where `metadata` gives a number of them.
  std::optional<std::uint64_t> total_size;

  /// IoError, or FormatError naming the file and what is wrong.
  static ShardIndex load(const std::filesystem::path& path);
  /// `where` begins the messages of errors.
  static ShardIndex parse(const nlohmann::ordered_json& json, const std::string& where);
};

}  // namespace gladius
