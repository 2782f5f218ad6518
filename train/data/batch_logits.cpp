#include "gladius/train/data/batch_logits.h"

#include "gladius/autograd/ops/views.h"

namespace gladius::train {

Variable batch_hidden_states(const LanguageModel& model, const Batch& batch) {
  const Variable hidden = model.hidden_states(batch.ids, batch.context);
  return reshape(hidden, {batch.tokens(), hidden.size(-1)});
}

Variable batch_logits(const LanguageModel& model, const Batch& batch) {
  return model.head(batch_hidden_states(model, batch));
}

}  // namespace gladius::train
