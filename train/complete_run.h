// A run that is asked to resume when it is complete.
#pragma once

#include "gladius/train/loop/finished_model.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_directory.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

/// Whether the run, begun as `before`, is to evaluate its student again: on other data, or because
/// what it had written is gone or another. Warns of the latter, and where it cannot be done.
/// IoError.
bool evaluates_again(const RunPaths& paths, const RunConfig& before, const RunConfig& config,
                     const FinishedModel& model, const RunEvents& events);

/// Writes the report and the model's card again, after a look at the files that it is made of; what
/// is wrong with them is a warning. IoError, FormatError.
void report_again(const RunConfig& config, RunDirectory& directory, const FinishedModel& model,
                  const RunEvents& events);

}  // namespace gladius::train
