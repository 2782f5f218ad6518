// Size and SHA-256 of files, to know them again.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gladius::train {

/// {"bytes": 12, "sha256": "..."}. IoError.
nlohmann::ordered_json describe_file(const std::filesystem::path& file);
/// The same of each file of a directory, by its name. IoError.
nlohmann::ordered_json describe_files(const std::filesystem::path& directory);

/// How thoroughly files are looked at.
enum class Look { sizes, every_byte };

/// What is wrong with the files of `directory` that `described` (see describe_files) lists; empty:
/// nothing. IoError.
std::string wrong_file(const std::filesystem::path& directory,
                       const nlohmann::ordered_json& described, Look look);

}  // namespace gladius::train
