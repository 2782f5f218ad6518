// JSON texts from outside: model directories, run files.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "gladius/tensor/error.h"

namespace gladius {

/// FormatError if brackets nest more than 200 deep: copying and writing such values would recurse
/// through the stack.
void check_json_nesting(std::string_view text);

/// The value that the text is, keys in order. FormatError if it is not JSON or nests too deep.
template <class Json = nlohmann::ordered_json>
Json parse_json(std::string_view text) {
  check_json_nesting(text);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("not valid JSON: {}", error.what()));
  }
}

/// The file's contents. IoError if it cannot be read, FormatError naming it as parse_json.
template <class Json = nlohmann::ordered_json>
Json read_json_file(const std::filesystem::path& path);

}  // namespace gladius
