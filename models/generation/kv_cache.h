// What a decoder remembers of the tokens it has seen.
#pragma once

#include <vector>

#include "gladius/nn/attention.h"

namespace gladius {

/// Keys and values of all layers (without gradients). For one thread at a time: a pass changes it.
struct KvCache {
  std::vector<nn::LayerCache> layers;

  /// Tokens seen so far.
  std::int64_t length() const { return layers.empty() ? 0 : layers.front().length; }
  /// Tokens there is room for.
  std::int64_t capacity() const { return layers.empty() ? 0 : layers.front().k.size(1); }
  /// Makes room for `capacity` tokens, at least twice what there was.
  void reserve(std::int64_t capacity);
  /// Forgets all but the first `length` tokens.
  void truncate(std::int64_t length);
};

}  // namespace gladius
