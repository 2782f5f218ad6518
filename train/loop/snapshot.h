// What to look at when training meets infinities.
#pragma once

#include "gladius/models/language_model.h"
#include "gladius/train/data/batch.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::train {

/// Writes RUN/nonfinite/ in place of an earlier one: model/ (a model directory, for `gladius
/// logits` and `gradients`), batch.safetensors (ids, labels and positions of the last step) and
/// step.json (its line of metrics). IoError.
void write_snapshot(const RunPaths& paths, const LanguageModel& model, const Batch& batch,
                    const StepRecord& record);

}  // namespace gladius::train
