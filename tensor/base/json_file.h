// JSON texts from outside: model directories, run files.
#pragma once

#include <exception>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gladius {

/// The value that the text is; Json is nlohmann::ordered_json (keys in order) or nlohmann::json.
/// NaN, Infinity and numbers beyond the range of double are taken as Python's json takes them: who
/// reads a number checks that it is finite. FormatError if it is not JSON or nests more than 200
/// deep: copying and writing such values would recurse through the stack.
template <class Json = nlohmann::ordered_json>
Json parse_json(std::string_view text);

/// The file's contents. IoError if it cannot be read, FormatError naming it as parse_json.
template <class Json = nlohmann::ordered_json>
Json read_json_file(const std::filesystem::path& path);

/// `value` as a message shows it: its JSON, shortened() (tensor/base/quoted.h).
template <class Json>
std::string shown(const Json& value);

/// What an exception says. One of nlohmann's is shortened() and has lost the name in brackets at
/// its beginning.
std::string reason_of(const std::exception& error);

}  // namespace gladius
