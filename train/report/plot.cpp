#include "gladius/train/report/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gladius::train {
namespace {

PlotStretch::Range range_of(const std::vector<double>& values, std::size_t begin, std::size_t end) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  PlotStretch::Range range{kInfinity, 0, -kInfinity};
  std::size_t count = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (!std::isfinite(values[i])) continue;
    range.low = std::min(range.low, values[i]);
    range.high = std::max(range.high, values[i]);
    range.mean += (values[i] - range.mean) / static_cast<double>(++count);
  }
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  return count > 0 ? range : PlotStretch::Range{kNone, kNone, kNone};
}

// 1, 2, 5 or 10 times a power of ten, not below `value`.
double round_up(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1, 2, 5}) {
    if (factor * power >= value * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::vector<PlotStretch> stretches(const Plot& plot, std::size_t most) {
  const std::size_t steps = plot.steps.size(), length = (steps + most - 1) / most;
  std::vector<PlotStretch> result;
  for (std::size_t begin = 0; begin < steps; begin += length) {
    const std::size_t end = std::min(begin + length, steps);
    PlotStretch stretch{plot.steps[begin], plot.steps[end - 1], {}};
    for (const Plot::Series& series : plot.series) {
      stretch.ranges.push_back(range_of(series.values, begin, end));
    }
    result.push_back(std::move(stretch));
  }
  return result;
}

std::vector<double> round_ticks(double low, double high, int count) {
  const double size = std::max(std::abs(low), std::abs(high));
  if (!(high - low > 1e-9 * size)) {  // a line that is flat lies in the middle
    const double margin = size == 0 ? 1 : size / 2;
    low -= margin;
    high = low + 2 * margin;
  }
  const double distance = round_up((high - low) / count);
  if (!std::isfinite(distance) || distance <= 0) return {low, high};
  const double first = std::floor(low / distance + 1e-9);
  const double last = std::ceil(high / distance - 1e-9);
  std::vector<double> ticks;
  for (double i = first; i <= last; ++i) ticks.push_back(i * distance);
  return ticks;
}

}  // namespace gladius::train
