// Files of the Berkeley Function Calling Leaderboard (bfcl_eval/data/BFCL_v4_*.json and those of
// possible_answer/).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "gladius/train/behaviour/suite.h"
#include "gladius/train/data/json_lines.h"

namespace gladius::train {

/// Whether a line's value is of these files: it has "question" and "function".
bool is_bfcl_case(const nlohmann::ordered_json& line);

/// The cases with one turn and calls with Python's types, one or several (parallel); the others are
/// counted in Suite::skipped. The schemas are given to the model as JSON Schema (dict is "object",
/// float "number", tuple "array", any "string"), with the functions' names as they are. A case's
/// category is its id without the number. IoError, FormatError "FILE:LINE: ...".
Suite read_bfcl_suite(const JsonLines& questions, const std::filesystem::path& answers);

}  // namespace gladius::train
