// Calls of tools that are written in Python: [f(a=1), g(b="x")].
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "gladius/train/behaviour/call_reader.h"

namespace gladius::train {

/// The calls of a text that is a list of them and nothing else, read as Python's parser does and as
/// the Berkeley Function Calling Leaderboard takes them (default_decode_ast_prompting in its
/// model_handler/utils.py): the brackets may lack, and grave accents around it count as little as
/// white space. A function's name may have dots; arguments by place are passed over. Values are
/// literals: texts (with prefixes r and u), numbers, True, False, None, lists, tuples (as lists)
/// and dicts; a bare name, and a call of nothing, is its text; a call with arguments is
/// {"name": {arguments}}.
///
/// Nothing where the text is no such list, and where a value is another expression or no value of
/// JSON: arithmetic, bytes, complex numbers, sets, keys that are no texts.
std::optional<std::vector<Call>> read_python_calls(std::string_view text);

}  // namespace gladius::train
