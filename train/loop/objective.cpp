#include "gladius/train/loop/objective.h"

#include "gladius/train/data/batch_logits.h"

namespace gladius {

ObjectiveValue cross_entropy_objective(const LanguageModel& student, const Batch& batch) {
  Variable loss = linear_cross_entropy(batch_hidden_states(student, batch), student.head_weight(),
                                       batch.labels, kNoLabel);
  const double ce = loss.item();
  return {.loss = std::move(loss), .kl = {}, .ce = ce};
}

namespace {

template <class Rows>
ObjectiveValue distillation(const LanguageModel& student, const Rows& rows, const Batch& batch,
                            DistillationOptions options) {
  options.sequences = batch.sequences;
  options.ignore_index = kNoLabel;
  DistillationLoss loss = linear_distillation_loss(
      batch_hidden_states(student, batch), student.head_weight(), rows, batch.labels, options);
  return {.loss = std::move(loss.loss), .kl = loss.kl, .ce = loss.ce};
}

}  // namespace

ObjectiveValue distillation_objective(const LanguageModel& student, const LogitRows& teacher,
                                      const Batch& batch, DistillationOptions options) {
  return distillation(student, teacher, batch, options);
}

ObjectiveValue distillation_objective(const LanguageModel& student, const TargetRows& targets,
                                      const Batch& batch, DistillationOptions options) {
  return distillation(student, targets, batch, options);
}

}  // namespace gladius
