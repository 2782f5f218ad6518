// How much text labels stand for.
#pragma once

#include <cstdint>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/train/data/example.h"

namespace gladius::train {

/// The bytes of text that the tokens with a label stand for; special tokens (the end of a turn,
/// say) and ids without an entry stand for none. Losses of models with different tokenizers are
/// compared by it.
std::int64_t labelled_bytes(const Example& example, const text::TokenBytes& entries);

}  // namespace gladius::train
