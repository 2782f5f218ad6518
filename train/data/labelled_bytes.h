// How much text labels stand for.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/train/data/example.h"

namespace gladius::train {

/// For each position the bytes of text that its label stands for; special tokens (the end of a
/// turn, say), ids without an entry and positions without a label have none.
std::vector<std::int64_t> label_bytes(const Example& example, const text::TokenBytes& entries);

/// Their sum. Losses of models with different tokenizers are compared by it.
std::int64_t labelled_bytes(const Example& example, const text::TokenBytes& entries);

}  // namespace gladius::train
