// A run from its file to its model.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "gladius/train/checkpoint.h"
#include "gladius/train/metrics.h"
#include "gladius/train/run_config.h"
#include "gladius/train/training_plan.h"

namespace gladius {

/// What a run tells its caller, and asks it.
struct RunEvents {
  /// Once, before the first step: the plan and where in it the run is.
  std::function<void(const TrainingPlan&, const TrainerState&)> begin;
  std::function<void(const StepRecord&)> step;
  std::function<void(const std::string&)> info;
  std::function<void(const std::string&)> warn;
  /// Asked after each step, and while the trained student is evaluated: whether to write a
  /// checkpoint and end.
  std::function<bool()> stop_requested;
};

struct RunOutcome {
  bool complete = false;   // false: stopped on request
  std::int64_t steps = 0;  // done, of all
  std::int64_t total_steps = 0;
};

/// Trains the student of `config` on its experts, in the run directory `out` (run_directory.h):
/// metrics.jsonl grows by a line a step, TensorBoard's event file by an event; a checkpoint is
/// written every `checkpoint_every` steps and when the run is stopped, and the end writes model/,
/// evaluation.json (where there is data for it) and the reports. A new run needs a directory that
/// is empty or not there; with `resume` the run in it goes on from its newest checkpoint to the
/// same weights, to the bit, as if it had never stopped (a run that is complete only has its
/// reports written again).
RunOutcome distill(const RunConfig& config, const std::filesystem::path& out, bool resume,
                   const RunEvents& events);

}  // namespace gladius
