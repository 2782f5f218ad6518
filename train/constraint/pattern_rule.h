// Strings in which a regular expression matches. For this folder.
#pragma once

#include <cstdint>
#include <string>

#include "gladius/train/constraint/grammar.h"

namespace gladius::train {

/// The JSON strings, quotation marks included, of `least` to `most` characters in which the
/// expression matches somewhere. Each is written in one way: with escapes for quotation marks,
/// backslashes and control characters alone, and `<\/` for `</`. Without states where there is
/// none. FormatError as regular_automaton(), and for one that takes too many states.
LeafRule pattern_rule(const std::string& expression, std::int64_t least, std::int64_t most);

}  // namespace gladius::train
