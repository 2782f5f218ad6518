// The fewest bytes from a frame to the end of the text.
#include <algorithm>

#include "gladius/train/constraint/frame_phases.h"
#include "gladius/train/constraint/frames.h"

namespace gladius::train {

std::int64_t Frames::cost_of(const Frame& frame) {
  const Rule& rule = grammar_.rule(frame.node);
  const std::int64_t below = frames_[frame.parent].cost;
  if (const auto* leaf = std::get_if<LeafRule>(&rule)) {
    return leaf->states[frame.progress.at].rest + below;
  }
  if (const auto* string = std::get_if<StringRule>(&rule)) return cost_in(*string, frame) + below;
  if (const auto* array = std::get_if<ArrayRule>(&rule)) return cost_in(*array, frame) + below;
  if (const auto* object = std::get_if<ObjectRule>(&rule)) return cost_in(*object, frame);
  if (const auto* parts = std::get_if<SequenceRule>(&rule)) return cost_in(*parts, frame) + below;
  return below;
}

std::int64_t Frames::cost_in(const StringRule& rule, const Frame& frame) const {
  const Progress& progress = frame.progress;
  if (progress.phase == kBeforeString) return 2 + rule.least;
  const bool begun = progress.character != Character::none;
  const std::int64_t count = progress.count + (begun ? 1 : 0);
  return rest_of(progress.character) + std::max<std::int64_t>(0, rule.least - count) + 1;
}

std::int64_t Frames::cost_in(const ArrayRule& rule, const Frame& frame) const {
  const std::uint8_t phase = frame.progress.phase;
  const std::int64_t items = std::max<std::int64_t>(0, rule.least - frame.progress.count);
  // With no items needed their cost, perhaps kNever, does not count.
  const std::int64_t needed = items > 0 ? items * (1 + rule.item_cost) : 0;
  if (phase == kNextItem) return items > 0 ? needed : rule.item_cost + 1;
  const std::int64_t rest = 1 + needed;  // each item with a comma
  if (phase == kAfterItem) return rest;
  return rest - (items > 0 ? 1 : 0) + (phase == kBeforeArray ? 1 : 0);
}

std::int64_t Frames::cost_in(const SequenceRule& rule, const Frame& frame) const {
  std::int64_t cost = 0;
  for (std::size_t i = frame.progress.at; i < rule.parts.size(); ++i) {
    cost += grammar_.cost(rule.parts[i]);
  }
  return cost;
}

}  // namespace gladius::train
