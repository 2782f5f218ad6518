// What a checkpoint says of steps and evaluations, beside its state.
#pragma once

#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Whether a run of `config` that is at the checkpoint's state (which check_state has passed) can
/// have its last step's record and its best evaluation. FormatError naming the key.
void check_evaluations(const Checkpoint& checkpoint, const RunConfig& config);

}  // namespace gladius::train
