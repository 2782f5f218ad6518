// Split: words cut where an expression matches.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/pre_tokenizers.h"

namespace gladius::text {

/// What becomes of a match: a word of its own, nothing, a part of the word before or after it, or,
/// with the matches that follow at once, one word.
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// All matches in a text, from left to right.
using FindAll = std::function<std::vector<TextRange>(std::string_view)>;

/// Cuts each word at the matches; `invert` exchanges the matches and what is between.
Words split(Words words, const FindAll& matches, SplitBehavior behavior, bool invert = false);
Words split(Words words, const Regex& pattern, SplitBehavior behavior, bool invert = false);

/// Each character for which `holds` is true is a match.
FindAll each_character(std::function<bool(char32_t)> holds);

/// The member "behavior" of a component, which may be left out where there is a `fallback`.
SplitBehavior split_behavior(const nlohmann::json& component, const std::string& role,
                             const std::string& fallback = "");

/// The pre-tokenizer.
PreTokenizer make_split(const nlohmann::json& component, const std::string& role);

}  // namespace gladius::text
