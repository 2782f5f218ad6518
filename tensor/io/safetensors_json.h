// The JSON of a safetensors header, without the checks that need sizes. For safetensors_header.cpp.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/io/safetensors_header.h"

namespace gladius::safetensors_json {

/// Throws FormatError "<error>: <what happened>".
template <class... Args>
[[noreturn]] void fail(std::string_view error, fmt::format_string<Args...> what, Args&&... args) {
  throw FormatError(fmt::format("{}: {}", error, fmt::format(what, std::forward<Args>(args)...)));
}

/// Entries in the order of the header, and metadata. Throws FormatError (InvalidHeader,
/// InvalidHeaderDeserialization, ValidationOverflow for a size past 63 bits).
SafetensorsHeader read(std::string_view text);

/// Compact JSON, escaped as the reference does. Throws FormatError for names that a reader would
/// refuse.
std::string write(const std::vector<SafetensorsEntry>& entries,
                  const SafetensorsMetadata& metadata);

}  // namespace gladius::safetensors_json
