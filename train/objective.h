// What the student minimizes on a micro-batch.
#pragma once

#include <optional>

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/models/causal_lm.h"
#include "gladius/train/data/batch.h"

namespace gladius {

/// A loss with its parts; plain cross-entropy has no divergence.
struct ObjectiveValue {
  Variable loss;
  std::optional<double> kl;
  double ce = 0;
};

/// Hidden states [N, C] of a batch's tokens.
Variable batch_hidden_states(const CausalLM& model, const Batch& batch);
/// Their logits [N, V], for losses that need all of them at once.
Variable batch_logits(const CausalLM& model, const Batch& batch);

/// Mean cross-entropy over the labelled tokens.
ObjectiveValue cross_entropy_objective(const CausalLM& student, const Batch& batch);

/// alpha * KL * temperature^2 + (1 - alpha) * CE against a teacher's logits [N, V'] of the same
/// tokens (see distillation_loss). `options.sequences` is the batch's.
ObjectiveValue distillation_objective(const CausalLM& student, const LogitRows& teacher,
                                      const Batch& batch, DistillationOptions options);

}  // namespace gladius
