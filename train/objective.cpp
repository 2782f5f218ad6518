#include "gladius/train/objective.h"

#include "gladius/autograd/ops/views.h"

namespace gladius {

Variable batch_logits(const CausalLM& model, const Batch& batch) {
  const Variable hidden = model.hidden_states(batch.ids, batch.context);
  return model.head(reshape(hidden, {batch.tokens(), hidden.size(-1)}));
}

ObjectiveValue cross_entropy_objective(const CausalLM& student, const Batch& batch) {
  Variable loss = cross_entropy(batch_logits(student, batch), batch.labels, kNoLabel);
  const double ce = loss.item();
  return {.loss = std::move(loss), .kl = {}, .ce = ce};
}

ObjectiveValue distillation_objective(const CausalLM& student, const Tensor& teacher_logits,
                                      const Batch& batch, DistillationOptions options) {
  options.sequences = batch.sequences;
  options.ignore_index = kNoLabel;
  DistillationLoss loss =
      distillation_loss(batch_logits(student, batch), teacher_logits, batch.labels, options);
  return {.loss = std::move(loss.loss), .kl = loss.kl, .ce = loss.ce};
}

}  // namespace gladius
