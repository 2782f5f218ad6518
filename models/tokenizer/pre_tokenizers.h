// The pre-tokenizer of a tokenizer.json.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "gladius/models/tokenizer/aligned_text.h"
#include "gladius/models/tokenizer/regex.h"

namespace gladius::text {

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

/// Whether what it does to a text depends on where in the source the text's bytes stem from (a
/// Metaspace of scheme "first", unless it sees the source as it is): the text is to be tracked.
bool goes_by_source(const nlohmann::json& pre_tokenizer, bool is_normalized);

}  // namespace gladius::text
