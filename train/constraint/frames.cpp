#include "gladius/train/constraint/frames.h"

#include <algorithm>

#include "gladius/train/constraint/frame_phases.h"

namespace gladius::train {
namespace {

std::size_t mixed(std::size_t hash, std::uint64_t value) {
  return (hash ^ value) * 0x9E3779B97F4A7C15ULL + (hash >> 29);
}

std::size_t hash_of(NodeId node, FrameId parent, const Progress& progress) {
  std::size_t hash = mixed(node, parent);
  hash = mixed(hash, progress.phase | static_cast<std::uint64_t>(progress.character) << 8 |
                         static_cast<std::uint64_t>(progress.at) << 16);
  hash = mixed(hash, static_cast<std::uint64_t>(progress.count));
  return mixed(hash, progress.used);
}

bool holds_any(const Rule& rule) {
  if (const auto* array = std::get_if<ArrayRule>(&rule)) return array->any;
  const auto* object = std::get_if<ObjectRule>(&rule);
  return object != nullptr && object->any;
}

}  // namespace

Frames::Frames(const Grammar& grammar) : grammar_(grammar), frames_(1) {}

FrameId Frames::start() {
  Out out;
  enter(grammar_.root, kEnd, out);
  return out.at(0);
}

FrameId Frames::adopt(const Frames& other, FrameId frame) {
  if (frame == kEnd) return kEnd;
  const Frame& from = other.frames_[frame];
  return push(from.node, from.progress, adopt(other, from.parent));
}

FrameId Frames::push(NodeId node, const Progress& progress, FrameId parent) {
  Frame frame{.node = node, .parent = parent, .progress = progress};
  const std::size_t hash = hash_of(node, parent, progress);
  const auto [first, last] = known_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    if (frames_[known->second].is_same(frame)) return known->second;
  }
  frame.any_depth = frames_[parent].any_depth + (holds_any(grammar_.rule(node)) ? 1 : 0);
  frame.cost = cost_of(frame);
  frames_.push_back(frame);
  const auto id = static_cast<FrameId>(frames_.size() - 1);
  known_.emplace(hash, id);
  return id;
}

void Frames::enter(const Choice& choice, FrameId parent, Out& out) {
  for (const NodeId node : choice) {
    const Rule& rule = grammar_.rule(node);
    if (holds_any(rule) && frames_[parent].any_depth >= kMostAnyDepth) continue;
    out.push_back(push(node, {}, parent));
  }
}

void Frames::resume(FrameId id, Out& out) {
  if (id == kEnd) return out.push_back(kEnd);
  const Frame frame = frames_[id];
  const auto* sequence = std::get_if<SequenceRule>(&grammar_.rule(frame.node));
  if (sequence == nullptr) return out.push_back(push_space(id));
  if (frame.progress.at == sequence->parts.size()) return resume(frame.parent, out);
  const FrameId next = push(frame.node, {.at = frame.progress.at + 1}, frame.parent);
  enter(sequence->parts[frame.progress.at], next, out);
}

std::int64_t Frames::room_for_characters(FrameId id) const {
  const Frame& frame = frames_[id];
  const auto* string = std::get_if<StringRule>(&grammar_.rule(frame.node));
  if (id == kEnd || string == nullptr || frame.progress.character != Character::none ||
      frame.progress.phase != kWithinString) {
    return -1;
  }
  return string->most == kUnbounded ? kUnbounded : string->most - frame.progress.count;
}

FrameId Frames::far_from_bound(FrameId id, std::int64_t characters) {
  const Frame frame = frames_[id];
  const auto* string = std::get_if<StringRule>(&grammar_.rule(frame.node));
  if (id == kEnd || string == nullptr || frame.progress.count < string->least ||
      string->most - frame.progress.count < characters) {
    return id;
  }
  Progress fewer = frame.progress;
  fewer.count = string->least;
  return push(frame.node, fewer, frame.parent);
}

void Frames::step(FrameId id, Byte byte, Out& out) {
  if (id == kEnd) return;
  const Frame frame = frames_[id];  // a copy, as the step adds others
  std::visit([&](const auto& rule) { step_in(rule, frame, byte, out); }, grammar_.rule(frame.node));
}

void Frames::step_each(const Out& frames, Byte byte, Out& out) {
  for (const FrameId frame : frames) step(frame, byte, out);
}

void Frames::enter_and_step(const Choice& choice, FrameId parent, Byte byte, Out& out) {
  Out begun;
  enter(choice, parent, begun);
  step_each(begun, byte, out);
}

void Frames::step_in(const SpaceRule&, const Frame& frame, Byte byte, Out& out) {
  const std::uint32_t at = after_space(frame.progress.at, byte);
  if (at != kNoSpace) out.push_back(push(frame.node, {.at = at}, frame.parent));
  step(frame.parent, byte, out);
}

void Frames::step_in(const SequenceRule& rule, const Frame& frame, Byte byte, Out& out) {
  const std::uint32_t at = frame.progress.at;
  enter_and_step(rule.parts[at], push(frame.node, {.at = at + 1}, frame.parent), byte, out);
}

void Frames::step_in(const LeafRule& rule, const Frame& frame, Byte byte, Out& out) {
  const LeafRule::State& state = rule.states[frame.progress.at];
  const std::uint32_t next = follow(state.next, byte);
  if (next != kNoEdge && rule.states[next].next.empty()) {
    resume(frame.parent, out);
  } else if (next != kNoEdge) {
    out.push_back(push(frame.node, {.at = next}, frame.parent));
  }
  if (state.rest != 0) return;
  Out after;
  resume(frame.parent, after);
  step_each(after, byte, out);
}

void Frames::step_in(const StringRule& rule, const Frame& frame, Byte byte, Out& out) {
  Progress progress = frame.progress;
  const bool between = progress.character == Character::none;
  if (progress.phase == kBeforeString) {
    if (byte == '"') out.push_back(push(frame.node, {.phase = kWithinString}, frame.parent));
    return;
  }
  if (between && byte == '"') {
    if (progress.count >= rule.least) resume(frame.parent, out);
    return;
  }
  if (between && progress.count >= rule.most) return;
  if (progress.phase == kAfterLess && byte == '/') return;
  progress.character = after_byte(progress.character, byte);
  if (progress.character == Character::wrong) return;
  progress.phase = between && byte == '<' ? kAfterLess : kWithinString;
  if (progress.character == Character::none) ++progress.count;
  if (rule.most == kUnbounded) progress.count = std::min(progress.count, rule.least);
  out.push_back(push(frame.node, progress, frame.parent));
}

void Frames::step_in(const ArrayRule& rule, const Frame& frame, Byte byte, Out& out) {
  const std::uint8_t phase = frame.progress.phase;
  const std::int64_t count = frame.progress.count;
  const auto in_phase = [&](std::uint8_t next) {
    return push(frame.node, {.phase = next, .count = count}, frame.parent);
  };
  if (phase == kBeforeArray) {
    if (byte == '[') out.push_back(push_space(in_phase(kFirstItem)));
    return;
  }
  if (phase != kNextItem && byte == ']') {
    if (count >= rule.least) resume(frame.parent, out);
    return;
  }
  if (phase == kAfterItem) {
    if (byte == ',' && count < rule.most) out.push_back(push_space(in_phase(kNextItem)));
    return;
  }
  if (count >= rule.most) return;
  Progress after{.phase = kAfterItem, .count = count + 1};
  if (rule.most == kUnbounded) after.count = std::min(after.count, rule.least);
  enter_and_step(rule.items, push(frame.node, after, frame.parent), byte, out);
}

}  // namespace gladius::train
