// What a line of a .jsonl file is.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace gladius::train {

enum class LineKind { text, messages, input_ids };

/// Whether the line, or an object in it, has a value at `key`. A column that is null counts as
/// missing: that is how tables write lines of several kinds.
bool has_column(const nlohmann::ordered_json& line, const char* key);

/// By the one of the kinds' keys that it has. FormatError if `line` is no object, or has none or
/// several.
LineKind kind_of_line(const nlohmann::ordered_json& line);

}  // namespace gladius::train
