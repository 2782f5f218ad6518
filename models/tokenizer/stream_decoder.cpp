#include <utility>

#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::text {

std::string StreamDecoder::push(std::int32_t id) {
  TokenList tokens;
  tokenizer_.add_token(id, skip_special_, tokens);
  decoder_(tokens, /*last=*/false);
  return std::move(tokens.bytes);
}

std::string StreamDecoder::flush() {
  TokenList rest;
  decoder_(rest, /*last=*/true);
  decoder_ = tokenizer_.decoder();
  return std::move(rest.bytes);
}

}  // namespace gladius::text
