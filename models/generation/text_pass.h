// What a model says of the token after a text.
#pragma once

#include <cstdint>
#include <vector>

#include "gladius/models/language_model.h"

namespace gladius {

/// Passes texts through a model, one at a time: what a text has in common with the one before is
/// not computed again. For one thread at a time.
class TextPass {
 public:
  /// `model` must outlive it.
  explicit TextPass(const LanguageModel& model) : model_(model) {}

  /// F32 logits [1, 1, V] after `text`, which has tokens; without gradients. `room`: tokens that
  /// are expected to follow.
  Tensor next_logits(const std::vector<std::int32_t>& text, std::int64_t room);
  /// Keys and values of the last text.
  const KvCache& cache() const { return cache_; }

 private:
  const LanguageModel& model_;
  KvCache cache_;
  std::vector<std::int32_t> seen_;  // what the cache holds
};

}  // namespace gladius
