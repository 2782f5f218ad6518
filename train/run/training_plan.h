// Which expert teaches when, and when the weights are updated.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gladius/optim/lr_schedule.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Steps begin .. end - 1 of a run, which one expert teaches (or none: cross-entropy).
struct Stage {
  std::optional<ExpertConfig> expert;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// A run's steps (micro-batches), numbered from 0 over all experts, in groups of
/// `gradient_accumulation` that make an update. A group does not reach over the end of a stage: the
/// last of a stage may be smaller, and its update has the mean of its own gradients.
class TrainingPlan {
 public:
  explicit TrainingPlan(const RunConfig& config);

  const std::vector<Stage>& stages() const { return stages_; }
  std::int64_t total_steps() const { return stages_.back().end; }
  std::int64_t total_updates() const { return updates_before(total_steps()); }
  /// Updates that the first `steps` steps make.
  std::int64_t updates_before(std::int64_t steps) const;

  const Stage& stage_of(std::int64_t step) const;
  /// The first step of the group that `step` belongs to.
  std::int64_t group_begin(std::int64_t step) const;
  /// Micro-batches of that group.
  std::int64_t group_size(std::int64_t step) const;
  /// Whether an update follows `step`.
  bool ends_group(std::int64_t step) const;
  /// Whether all ranks have the same weights after `step`: after every update, or with
  /// `cluster.local_updates` after so many of a stage and after its last.
  bool synchronises(std::int64_t step) const;
  /// The learning rate's course over the updates.
  const LrSchedule& schedule() const { return schedule_; }

 private:
  std::vector<Stage> stages_;
  std::int64_t accumulation_;
  std::int64_t local_updates_;
  LrSchedule schedule_;
};

}  // namespace gladius::train
