#include "gladius/train/watch/curve.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace gladius::train {

void Curve::add(std::int64_t step, double value) {
  if (!std::isfinite(value)) return;
  steps_.push_back(step);
  values_.push_back(value);
}

std::vector<CurvePoint> Curve::points(StepRange range, std::int64_t most) const {
  const auto place = [&](std::int64_t step) {
    return std::distance(steps_.begin(), std::ranges::lower_bound(steps_, step));
  };
  const std::int64_t first = place(range.begin), last = place(range.end);
  std::vector<CurvePoint> points;
  if (first == last) return points;
  // Of equal numbers of steps, so that a plot's axis is even where evaluations are not.
  const std::int64_t begin = steps_[static_cast<std::size_t>(first)];
  const std::int64_t steps = steps_[static_cast<std::size_t>(last - 1)] - begin + 1;
  const std::int64_t width = last - first <= most ? 1 : (steps + most - 1) / most;
  std::int64_t part = -1, count = 0;
  for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
    const double value = values_[i];
    if ((steps_[i] - begin) / width != part) {
      part = (steps_[i] - begin) / width;
      count = 0;
      points.push_back({.step = steps_[i], .mean = 0, .least = value, .largest = value});
    }
    CurvePoint& point = points.back();
    point.mean += (value - point.mean) / static_cast<double>(++count);
    point.least = std::min(point.least, value);
    point.largest = std::max(point.largest, value);
  }
  return points;
}

}  // namespace gladius::train
