// Examples of ids as transformers' tokenizers give them, with padding.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gladius/train/data/example.h"

namespace gladius::train {

/// What the keys beside "input_ids" of a line say of its positions. `attention_mask` is 0 at
/// padding, before the first token or behind the last, which is taken out of `example` together
/// with its labels: no loss counts it and no token sees it. `position_ids` must be those that the
/// example has anyway. Null counts as missing. FormatError for a list of another length, another
/// value of the mask, padding between tokens, no tokens at all, or other positions.
void remove_padding(Example& example, const nlohmann::ordered_json& line);

}  // namespace gladius::train
