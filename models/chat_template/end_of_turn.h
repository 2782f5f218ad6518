// Where an assistant's answer ends, by the tokens that end it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::text {

/// Ids after which a model that was trained on this template has finished its answer: the
/// "eos_token" of `special_tokens` (Tokenizer::special_tokens), and the special token that the
/// template writes behind an assistant's message, such as <|im_end|>. Empty where there is neither.
std::vector<std::int32_t> end_of_turn_tokens(const ChatTemplate& chat_template,
                                             const nlohmann::ordered_json& special_tokens,
                                             const Tokenizer& tokenizer);

}  // namespace gladius::text
