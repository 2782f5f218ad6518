// The pre-tokenizer of a tokenizer.json.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "gladius/models/tokenizer/aligned_text.h"
#include "gladius/models/tokenizer/regex.h"

namespace gladius {

/// The text between two added tokens, cut into words; the model merges within a word only.
struct Words {
  AlignedText text;
  std::vector<TextRange> ranges;  ///< in order, none empty
  bool at_start;                  ///< whether the text starts where the whole source starts
};

using PreTokenizer = std::function<Words(Words)>;

/// Any but UnicodeScripts (docs/tokenizers.md); null gives none. ConfigError names a component that
/// is not supported, FormatError a malformed one.
PreTokenizer make_pre_tokenizer(const nlohmann::json& component);

}  // namespace gladius
