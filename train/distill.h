// A run from its file to its model.
#pragma once

#include <filesystem>

#include "gladius/train/loop/ranks.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

struct RunOutcome {
  bool complete = false;   // false: stopped on request
  std::int64_t steps = 0;  // done, of all
  std::int64_t total_steps = 0;
};

/// Trains the student of `config` on its experts, in the run directory `out` (run_directory.h):
/// metrics.jsonl grows by a line a step, TensorBoard's event file by an event; a checkpoint is
/// written every `checkpoint_every` steps and when the run is stopped, and the end writes model/,
/// evaluation.json (where there is data for it; see validation.h) and the reports. A new run needs
/// a directory that is empty or not there; with `resume` the run in it resumes from its newest
/// checkpoint to the same weights, to the bit, as if it had never stopped. A run that is complete
/// only has its reports written again, unless `config` makes it longer where that is the same run
/// (run_changes.h). Until it resumes, every file in it stays as it is.
/// Another process may ask it to stop by a file (stop_request.h).
///
/// `ranks`: this process is one of several, which all call this; each computes its share of every
/// update's micro-batches, and rank 0 alone writes files, and has an outcome (those of the others
/// are empty). ConfigError if they have not all the same inputs (same_inputs.h).
RunOutcome distill(const RunConfig& config, const std::filesystem::path& out, bool resume,
                   const RunEvents& observer, Ranks* ranks = nullptr);

}  // namespace gladius::train
