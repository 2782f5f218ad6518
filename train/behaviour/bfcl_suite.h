// Files of the Berkeley Function Calling Leaderboard (bfcl_eval/data/BFCL_v4_*.json and those of
// possible_answer/).
#pragma once

#include <filesystem>
#include <string>

#include "gladius/train/behaviour/suite.h"

namespace gladius::train {

/// Whether the line is one of these files': it has "question" and "function".
bool is_bfcl_line(const std::string& line);

/// The cases with one turn, one call and Python's types; the others are counted in Suite::skipped.
/// The schemas are given to the model as JSON Schema (dict is "object", float "number", tuple
/// "array", any "string"), with the functions' names as they are. A case's category is its id
/// without the number. IoError, FormatError "FILE:LINE: ...".
Suite read_bfcl_suite(const std::filesystem::path& questions, const std::filesystem::path& answers);

}  // namespace gladius::train
