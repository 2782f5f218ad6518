// What a run tells its caller, and asks it.
#pragma once

#include <functional>
#include <string>

#include "gladius/train/checkpoint.h"
#include "gladius/train/metrics.h"
#include "gladius/train/training_plan.h"

namespace gladius {

struct RunEvents {
  /// Once, before the first step: the plan and where in it the run is.
  std::function<void(const TrainingPlan&, const TrainerState&)> begin;
  /// A step is done, and its evaluation where there is one.
  std::function<void(const StepRecord&)> step;
  std::function<void(const std::string&)> info;
  std::function<void(const std::string&)> warn;
  /// Asked after each step, and while a model is evaluated: whether to write a checkpoint and end.
  std::function<bool()> stop_requested;
  /// An evaluation begins, which may take a while: of what, in a few words.
  std::function<void(const std::string&)> evaluating = [](const std::string&) {};
};

}  // namespace gladius
