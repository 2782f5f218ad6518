// Where the tokens of a forward pass stand.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius {

struct TokenContext {
  Tensor positions;  // I64 [B, T]
  Tensor first_key;  // I64 [B, T], the first key that each token sees; undefined: all before it
};

/// Positions 0 .. T - 1 for each of B sequences, or the following ones after `start` tokens.
TokenContext sequential_context(std::int64_t B, std::int64_t T, std::int64_t start = 0);
/// Sequences of these lengths, one after another in one row [1, sum]: positions start anew and no
/// token sees an earlier sequence. No padding, whatever the lengths.
TokenContext packed_context(const std::vector<std::int64_t>& lengths);
/// The context of layers whose queries see `window` keys, the newest of them their own. `start`:
/// how many keys come before the first query.
TokenContext windowed_context(const TokenContext& context, std::int64_t start, std::int64_t window);

}  // namespace gladius
