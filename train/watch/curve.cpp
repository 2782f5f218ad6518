#include "gladius/train/watch/curve.h"

#include <algorithm>
#include <cmath>

namespace gladius::train {
namespace {

constexpr std::size_t kBlock = 64;

}  // namespace

void Curve::Summary::add(const Summary& other) {
  sum += other.sum;
  least = std::min(least, other.least);
  largest = std::max(largest, other.largest);
}

void Curve::add(std::int64_t step, double value) {
  if (!std::isfinite(value)) return;
  const std::size_t place = values_.size();
  const std::int64_t next = place == 0 ? 0 : step_at(place - 1) + 1;
  if (place > 0 && step < next) return;
  if (place == 0 || step > next) stretches_.push_back({step, place});
  if (place % kBlock == 0) {
    blocks_.push_back({value, value, value});
  } else {
    blocks_.back().add({value, value, value});
  }
  values_.push_back(value);
}

std::vector<CurvePoint> Curve::points(StepRange range, std::int64_t most) const {
  const std::size_t first = place_of(range.begin), last = place_of(range.end);
  std::vector<CurvePoint> points;
  if (first == last) return points;
  if (static_cast<std::int64_t>(last - first) <= most) {
    for (std::size_t i = first; i < last; ++i) points.push_back(point(i, i + 1));
    return points;
  }
  // Of equal numbers of steps, so that a plot's axis is even where evaluations are not.
  const std::int64_t begin = step_at(first), steps = step_at(last - 1) - begin + 1;
  const std::int64_t width = (steps + most - 1) / most;
  std::size_t part = first;
  for (std::int64_t end = begin + width; part < last; end += width) {
    const std::size_t next = std::min(last, place_of(end));
    if (next > part) points.push_back(point(part, next));
    part = next;
  }
  return points;
}

// Of the first value at `step` or behind it.
std::size_t Curve::place_of(std::int64_t step) const {
  const auto next = std::ranges::upper_bound(stretches_, step, {}, &Stretch::step);
  if (next == stretches_.begin()) return 0;
  const Stretch& stretch = *(next - 1);
  const std::size_t end = next == stretches_.end() ? values_.size() : next->place;
  const auto inside = static_cast<std::uint64_t>(step - stretch.step);
  return inside < end - stretch.place ? stretch.place + inside : end;
}

std::int64_t Curve::step_at(std::size_t place) const {
  const Stretch& stretch = *(std::ranges::upper_bound(stretches_, place, {}, &Stretch::place) - 1);
  return stretch.step + static_cast<std::int64_t>(place - stretch.place);
}

Curve::Summary Curve::summary(std::size_t begin, std::size_t end) const {
  Summary all{0, values_[begin], values_[begin]};
  while (begin < end) {
    if (begin % kBlock == 0 && end - begin >= kBlock) {
      all.add(blocks_[begin / kBlock]);
      begin += kBlock;
    } else {
      all.add({values_[begin], values_[begin], values_[begin]});
      ++begin;
    }
  }
  return all;
}

CurvePoint Curve::point(std::size_t begin, std::size_t end) const {
  const Summary all = summary(begin, end);
  return {.step = step_at(begin),
          .mean = all.sum / static_cast<double>(end - begin),
          .least = all.least,
          .largest = all.largest};
}

}  // namespace gladius::train
