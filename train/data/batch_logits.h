// What a model makes of a batch.
#pragma once

#include "gladius/models/language_model.h"
#include "gladius/train/data/batch.h"

namespace gladius::train {

/// Hidden states [N, C] of a batch's tokens.
Variable batch_hidden_states(const LanguageModel& model, const Batch& batch);
/// Their logits [N, V], for losses that need all of them at once.
Variable batch_logits(const LanguageModel& model, const Batch& batch);

}  // namespace gladius::train
