// Messages of a conversation that are not to be learned.
#pragma once

#include <nlohmann/json.hpp>

namespace gladius::train {

/// Whether a message is to be learned where the assistant's are: not with `"train": false` (as
/// axolotl's) or `"weight": 0` (as OpenAI's). Null counts as missing. FormatError for another value
/// than true and false, 0 and 1.
bool is_learned(const nlohmann::ordered_json& message);

/// Whether all of a list of messages are.
bool are_learned(const nlohmann::ordered_json& messages);

}  // namespace gladius::train
