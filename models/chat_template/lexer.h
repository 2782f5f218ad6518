// Template text to tokens, with Jinja's rules for white space around tags.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gladius/models/chat_template/source.h"

namespace gladius::text::jinja {

enum class TokenKind {
  kData,  // text outside tags
  kBlockBegin,
  kBlockEnd,
  kVariableBegin,
  kVariableEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,  // of the template
};

struct Token {
  TokenKind kind;
  std::string text;  // a string's is without quotes and escapes, a number's without underscores
  std::size_t offset;
};

/// The template's tokens, kEnd last; comments and raw tags are gone. trim_blocks and lstrip_blocks
/// are on, as in transformers. FormatError for what is no token or not closed.
std::vector<Token> tokenize(const Source& source);

}  // namespace gladius::text::jinja
