#include "gladius/optim/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gladius {

double LrSchedule::factor(std::int64_t step) const {
  if (step < warmup_steps) return static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (kind == ScheduleKind::constant) return 1;
  if (step >= total_steps) return 0;
  const auto first = static_cast<double>(warmup_steps);
  const double progress =
      (static_cast<double>(step) - first) / (static_cast<double>(total_steps) - first);
  return kind == ScheduleKind::linear ? 1 - progress
                                      : 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace gladius
