// The decoder of a tokenizer.json.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "gladius/models/tokenizer/token_list.h"

namespace gladius {

using TokenDecoder = std::function<void(TokenList&)>;

/// The byte of a token <0xNN>, or -1. The reference takes a sign for the first digit.
int byte_of_token(std::string_view token);

/// Any of the reference's; null gives none. ConfigError names an unknown component, FormatError a
/// malformed one.
TokenDecoder make_decoder(const nlohmann::json& component);

}  // namespace gladius
