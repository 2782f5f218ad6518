// What a run tells its caller, and asks it.
#pragma once

#include <functional>
#include <string>

#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {

/// An observer of a run; what it leaves out does nothing.
struct RunEvents {
  /// Once, before the first step: the plan and where in it the run is.
  std::function<void(const TrainingPlan&, const TrainerState&)> begin = [](const TrainingPlan&,
                                                                           const TrainerState&) {};
  /// A step is done, and its evaluation where there is one.
  std::function<void(const StepRecord&)> step = [](const StepRecord&) {};
  std::function<void(const std::string&)> info = [](const std::string&) {};
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  /// Asked after each step, when an expert was loaded, and while a model is evaluated: whether to
  /// write a checkpoint and end.
  std::function<bool()> stop_requested = [] { return false; };
  /// An evaluation begins, which may take a while: of what, in a few words.
  std::function<void(const std::string&)> evaluating = [](const std::string&) {};
  /// So many steps are done, and the last of them is in no checkpoint (true), or all are in one
  /// (false): ending the process costs nothing then.
  std::function<void(bool unsaved, std::int64_t steps)> unsaved = [](bool, std::int64_t) {};
};

}  // namespace gladius::train
