// A micro-batch without padding.
#pragma once

#include <memory>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/train/data/example.h"

namespace gladius::train {

/// B sequences one after another in one row of N tokens.
struct Batch {
  Tensor ids;            // I64 [1, N]
  Tensor labels;         // I64 [N]
  TokenContext context;  // positions and the sequences' borders
  std::int64_t sequences = 0;
  /// What each sequence is of (see Example).
  std::vector<std::shared_ptr<const text::Conversation>> conversations = {};
  bool given_as_ids = false;  // one of them
  /// Of each sequence that the student has finished itself how many tokens came before, 0 of the
  /// others; none: there are only others.
  std::vector<std::int64_t> prompts = {};

  std::int64_t tokens() const { return labels.numel(); }
  std::int64_t labelled() const;
  /// Tokens of each sequence, in order.
  std::vector<std::int64_t> lengths() const;
  /// Whether the student has finished one of the sequences itself.
  bool has_own_answers() const;
  /// Whether the divergence counts each position: where the student has finished a sequence itself
  /// those that predict a token that it wrote, else all or those that have a label.
  std::vector<bool> compared(bool labelled_only) const;
  /// The sequences again.
  std::vector<Example> examples() const;
};

/// Packs at least one example.
Batch pack(const std::vector<const Example*>& examples);

}  // namespace gladius::train
