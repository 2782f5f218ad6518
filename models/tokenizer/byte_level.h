// Byte-level tokens: each byte of the text is a printable character.
// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.2.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "gladius/models/tokenizer/pre_tokenizers.h"
#include "gladius/models/tokenizer/token_list.h"

namespace gladius::text {

/// The pre-tokenizer.
class ByteLevel {
 public:
  ByteLevel(const nlohmann::json& component, const std::string& role);

  /// Puts a space before each word that has none (`add_prefix_space`), cuts by GPT-2's expression
  /// (`use_regex`), and turns bytes into their characters.
  Words pre_tokenize(Words words) const;

 private:
  bool add_prefix_space_;
  std::optional<Regex> regex_;
};

/// The normalizer: bytes into their characters.
AlignedText to_byte_characters(const AlignedText& text);

/// The bytes that a token's characters stand for; a token with other characters stands as it is.
std::string byte_level_bytes(std::string_view token);

/// The characters of bytes 0 to 255, one after another.
std::string byte_level_alphabet();

/// The decoder (a TokenDecoder of whole tokens): characters into bytes again; a token with other
/// characters stands as it is. Gives one token, with U+FFFD for what is not UTF-8.
class ByteLevelDecoder {
 public:
  void operator()(TokenList& tokens, bool last);

 private:
  std::string incomplete_;  // the beginning of a character
};

}  // namespace gladius::text
