// Where a tokenizer's files are: in a directory, or within a GGUF file.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace gladius::text {

/// Whether a model directory or a GGUF file has a tokenizer. Errors of a GGUF file.
bool has_tokenizer(const std::filesystem::path& path);

/// The tokenizer.json of a directory, the one that a GGUF file stands for, or that file itself.
/// Json is nlohmann::ordered_json or nlohmann::json. IoError, FormatError; ConfigError for a GGUF
/// file's tokenizer that is not supported.
template <class Json = nlohmann::json>
Json read_tokenizer_json(const std::filesystem::path& path);

/// The tokenizer_config.json likewise; an empty object where there is none.
nlohmann::ordered_json read_tokenizer_config(const std::filesystem::path& path);

}  // namespace gladius::text
