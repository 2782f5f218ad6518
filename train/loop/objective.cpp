#include "gladius/train/loop/objective.h"

#include <algorithm>

#include "gladius/train/data/batch_logits.h"

namespace gladius::train {

ObjectiveValue cross_entropy_objective(const LanguageModel& student, const Batch& batch,
                                       std::int64_t divisor) {
  Variable loss = linear_cross_entropy(batch_hidden_states(student, batch), student.head_weight(),
                                       batch.labels, kNoLabel, divisor);
  double ce = loss.item();
  if (divisor != 0) {
    const auto own = std::max<std::int64_t>(1, batch.labelled());
    ce *= static_cast<double>(divisor) / static_cast<double>(own);
  }
  return {.loss = std::move(loss), .kl = {}, .ce = ce};
}

namespace {

// `loss` of the hidden states, the head's weight, the labels and the options.
template <class Loss>
ObjectiveValue distillation(const LanguageModel& student, const Batch& batch,
                            DistillationOptions options, const Loss& loss) {
  options.sequences = batch.sequences;
  options.ignore_index = kNoLabel;
  DistillationLoss value =
      loss(batch_hidden_states(student, batch), student.head_weight(), batch.labels, options);
  return {.loss = std::move(value.loss), .kl = value.kl, .ce = value.ce};
}

template <class Rows>
ObjectiveValue of_rows(const LanguageModel& student, const Rows& rows, const Batch& batch,
                       const DistillationOptions& options) {
  return distillation(student, batch, options,
                      [&](const auto& x, const auto& head, const auto&... rest) {
                        return linear_distillation_loss(x, head, rows, rest...);
                      });
}

}  // namespace

ObjectiveValue distillation_objective(const LanguageModel& student, const LogitRows& teacher,
                                      const Batch& batch, DistillationOptions options) {
  return of_rows(student, teacher, batch, options);
}

ObjectiveValue distillation_objective(const LanguageModel& student, const TargetRows& targets,
                                      const Batch& batch, DistillationOptions options) {
  return of_rows(student, targets, batch, options);
}

ObjectiveValue alm_objective(const LanguageModel& student, const AlmTargets& targets,
                             const Batch& batch, DistillationOptions options) {
  return distillation(student, batch, options,
                      [&](const auto& x, const auto& head, const auto&... rest) {
                        return linear_alm_loss(x, head, targets, rest...);
                      });
}

ObjectiveValue uld_objective(const LanguageModel& student, const LogitRows& teacher,
                             std::span<const std::int64_t> teacher_rows, const Batch& batch,
                             DistillationOptions options) {
  return distillation(student, batch, options,
                      [&](const auto& x, const auto& head, const auto&... rest) {
                        return linear_uld_loss(x, head, teacher, teacher_rows, rest...);
                      });
}

}  // namespace gladius::train
