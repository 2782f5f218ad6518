// Where tokens stand in a text, to the byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/tokenizer/encoding.h"
#include "gladius/models/tokenizer/token_bytes.h"

namespace gladius::text {

/// Bytes [begin, end) of a text. `exact` says that the token stands for just these bytes: it does
/// not where a tokenizer changes the text (a normalizer, a space put in front) or adds a token.
struct TokenPlace {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool exact = false;
};

/// The places of an encoding's tokens in its text. Tokens that share a character, which all have
/// its span in the encoding, get their own bytes of it.
std::vector<TokenPlace> token_places(const Encoding& encoding, std::string_view text,
                                     const TokenBytes& bytes);

/// A text as its tokens spell it, special tokens left out, and their places in it.
struct SpelledText {
  std::string text;
  std::vector<TokenPlace> places;
};
SpelledText spell(const std::vector<std::int32_t>& ids, const TokenBytes& bytes);

/// The same without the space that some tokenizers put in front of a text.
SpelledText without_added_space(SpelledText spelled, const std::vector<std::int32_t>& ids,
                                const TokenBytes& bytes);

}  // namespace gladius::text
