// The decoder of a tokenizer.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "gladius/models/tokenizer/token_list.h"

namespace gladius::text {

/// The byte of a token <0xNN>, or -1. The reference takes a sign for the first digit.
int byte_of_token(std::string_view token);

/// Any of the reference's; null gives none. ConfigError names an unknown component, FormatError a
/// malformed one.
TokenDecoder make_decoder(const nlohmann::json& component);

/// What the reference does without a decoder.
TokenDecoder join_with_spaces();

}  // namespace gladius::text
