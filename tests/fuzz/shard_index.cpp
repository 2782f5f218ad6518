// model.safetensors.index.json: the input is the file.
#include "gladius/models/shard_index.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "fuzz_target.h"
#include "gladius/tensor/base/json_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gladius::fuzz::require;
  return gladius::fuzz::only_errors(data, size, [](std::string_view text) {
    const auto index = gladius::ShardIndex::parse(gladius::parse_json(text), "index");
    require(!index.weight_map.empty());
    const std::filesystem::path directory = "/model";
    for (const auto& [tensor, file] : index.weight_map) {
      const std::filesystem::path path = directory / file;
      require(path == path.lexically_normal() && path.parent_path() == directory);
      require(path.string().find('\0') == std::string::npos);
    }
  });
}
