// Learning rates over the course of a run.
#pragma once

#include <cstdint>

namespace gladius {

enum class ScheduleKind { constant, linear, cosine };

/// Rises linearly over the warm-up, then stays (constant) or falls to 0 at `total_steps` (linear,
/// or half a cosine), as transformers' get_*_schedule_with_warmup, and stays 0. Steps are updates.
struct LrSchedule {
  ScheduleKind kind = ScheduleKind::constant;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 0;

  /// The factor of the base learning rate for update `step`, 0 being the first.
  double factor(std::int64_t step) const;
};

}  // namespace gladius
