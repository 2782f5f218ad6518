// JSON files of a model directory.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace gladius {

/// The file's contents, keys in order. IoError if it cannot be read, FormatError if it is not JSON.
nlohmann::ordered_json read_json_file(const std::filesystem::path& path);

}  // namespace gladius
