#include "gladius/train/run/training_plan.h"

#include <algorithm>

namespace gladius::train {

TrainingPlan::TrainingPlan(const RunConfig& config)
    : accumulation_(config.gradient_accumulation), local_updates_(config.cluster.local_updates) {
  std::int64_t begin = 0;
  for (const ExpertConfig& expert : config.experts) {
    stages_.push_back({expert, begin, begin + expert.steps});
    begin += expert.steps;
  }
  if (stages_.empty()) stages_.push_back({{}, 0, config.steps});
  schedule_ = {.kind = config.optimizer.schedule,
               .warmup_steps = config.optimizer.warmup_steps,
               .total_steps = total_updates()};
}

std::int64_t TrainingPlan::updates_before(std::int64_t steps) const {
  std::int64_t updates = 0;
  for (const Stage& stage : stages_) {
    const std::int64_t done =
        std::clamp<std::int64_t>(steps - stage.begin, 0, stage.end - stage.begin);
    updates += done / accumulation_;
    if (done == stage.end - stage.begin && done % accumulation_ != 0) ++updates;
  }
  return updates;
}

const Stage& TrainingPlan::stage_of(std::int64_t step) const {
  return *std::ranges::find_if(stages_, [&](const Stage& stage) { return step < stage.end; });
}

std::int64_t TrainingPlan::group_begin(std::int64_t step) const {
  return step - (step - stage_of(step).begin) % accumulation_;
}

std::int64_t TrainingPlan::group_size(std::int64_t step) const {
  return std::min(accumulation_, stage_of(step).end - group_begin(step));
}

bool TrainingPlan::ends_group(std::int64_t step) const {
  const Stage& stage = stage_of(step);
  return (step - stage.begin) % accumulation_ == accumulation_ - 1 || step == stage.end - 1;
}

bool TrainingPlan::synchronises(std::int64_t step) const {
  if (!ends_group(step)) return false;
  const Stage& stage = stage_of(step);
  if (local_updates_ == 0 || step == stage.end - 1) return true;
  return (step + 1 - stage.begin) / accumulation_ % local_updates_ == 0;
}

}  // namespace gladius::train
