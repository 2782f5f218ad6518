// A quantity over the steps of a run, as many points of it as a plot can show.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace gladius::train {

/// Steps from `begin` up to and without `end`.
struct StepRange {
  std::int64_t begin = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
};

/// Some steps beside each other: their first step, and the mean and the range of their values.
struct CurvePoint {
  std::int64_t step = 0;
  double mean = 0, least = 0, largest = 0;
};

/// Values at rising steps. Several threads may read it while none adds.
class Curve {
 public:
  /// A value that is not finite is not kept. The step is larger than the last one.
  void add(std::int64_t step, double value);
  /// The values of the range, each by itself where there are no more than `most`, else the steps
  /// in `most` equal parts at most. `most` is at least 1.
  std::vector<CurvePoint> points(StepRange range, std::int64_t most) const;

 private:
  std::vector<std::int64_t> steps_;
  std::vector<double> values_;
};

}  // namespace gladius::train
