// How much text labels stand for.
#pragma once

#include <cstdint>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/data/dataset.h"

namespace gladius {

/// The bytes of the decoded text that the tokens with a label add to it; special tokens (the end of
/// a turn, say) stand for none. Losses of models with different tokenizers are compared by it.
std::int64_t labelled_bytes(const Example& example, const Tokenizer& tokenizer);

/// Of all examples.
std::int64_t labelled_bytes(const Dataset& data, const Tokenizer& tokenizer);

}  // namespace gladius
