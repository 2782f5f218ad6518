// Split: words cut where an expression matches.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "gladius/models/tokenizer/pre_tokenizers.h"

namespace gladius {

/// What becomes of a match: a word of its own, nothing, a part of the word before or after it, or,
/// with the matches that follow at once, one word.
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// Cuts each word at the matches of `pattern`; `invert` exchanges the matches and what is between.
Words split(Words words, const Regex& pattern, SplitBehavior behavior, bool invert);

/// The pre-tokenizer.
PreTokenizer make_split(const nlohmann::json& component, const std::string& role);

}  // namespace gladius
