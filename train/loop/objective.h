// What the student minimizes on a micro-batch.
#pragma once

#include <optional>

#include "gladius/autograd/ops/alm_loss.h"
#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/uld_loss.h"
#include "gladius/models/language_model.h"
#include "gladius/train/data/batch.h"

namespace gladius::train {

/// A loss with its parts; plain cross-entropy has no divergence.
struct ObjectiveValue {
  Variable loss;
  std::optional<double> kl;
  double ce = 0;
};

/// Mean cross-entropy over the labelled tokens; `loss` is their sum by `divisor` instead, if that
/// is not 0.
ObjectiveValue cross_entropy_objective(const LanguageModel& student, const Batch& batch,
                                       std::int64_t divisor = 0);

/// alpha * KL * temperature^2 + (1 - alpha) * CE against a teacher's logits [N, V'] of the same
/// tokens (see distillation_loss), or another divergence in KL's place. `options.sequences` is the
/// batch's.
ObjectiveValue distillation_objective(const LanguageModel& student, const LogitRows& teacher,
                                      const Batch& batch, DistillationOptions options);

/// The same against targets in terms of the student's vocabulary, which `options.rows` of the
/// batch's tokens have.
ObjectiveValue distillation_objective(const LanguageModel& student, const TargetRows& targets,
                                      const Batch& batch, DistillationOptions options);

/// With alm_loss.h's loss in place of KL.
ObjectiveValue alm_objective(const LanguageModel& student, const AlmTargets& targets,
                             const Batch& batch, DistillationOptions options);

/// With uld_loss.h's loss in place of KL; `teacher_rows` are those of the batch's tokens.
ObjectiveValue uld_objective(const LanguageModel& student, const LogitRows& teacher,
                             std::span<const std::int64_t> teacher_rows, const Batch& batch,
                             DistillationOptions options);

}  // namespace gladius::train
