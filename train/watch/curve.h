// A quantity over the steps of a run, as many points of it as a plot can show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
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

/// Values at rising steps: about 8.5 bytes a value where each step has one. Several threads may
/// read it while none adds.
class Curve {
 public:
  /// A value that is not finite is not kept, nor one of a step that is not larger than the last.
  void add(std::int64_t step, double value);
  /// The values of the range, each by itself where there are no more than `most`, else the steps
  /// in `most` equal parts at most. `most` is at least 1. A long range costs a part of its values.
  std::vector<CurvePoint> points(StepRange range, std::int64_t most) const;

 private:
  // Values of steps that follow each other.
  struct Stretch {
    std::int64_t step;  // of its first
    std::size_t place;  // the same in values_
  };
  struct Summary {
    double sum, least, largest;

    void add(const Summary& other);
  };

  std::size_t place_of(std::int64_t step) const;
  std::int64_t step_at(std::size_t place) const;
  Summary summary(std::size_t begin, std::size_t end) const;
  CurvePoint point(std::size_t begin, std::size_t end) const;

  std::vector<Stretch> stretches_;
  std::deque<double> values_;
  std::vector<Summary> blocks_;  // of values_, each of kBlock but the last
};

}  // namespace gladius::train
