// Objects, member by member.
#include <algorithm>
#include <bit>

#include "gladius/train/constraint/frame_phases.h"
#include "gladius/train/constraint/frames.h"

namespace gladius::train {
namespace {

Members members_of(const Progress& progress) { return {progress.used, progress.count}; }

Progress with_phase(Progress progress, std::uint8_t phase, std::uint32_t at = 0) {
  progress.phase = phase;
  progress.character = Character::none;
  progress.at = at;
  return progress;
}

// The members, `at` among them, with their value.
Progress with_value(const ObjectRule& rule, const Progress& progress) {
  const Members so_far = members_of(progress);
  const Members after =
      progress.at == kOtherMember ? with_other(rule, so_far) : with_member(so_far, progress.at);
  return {.phase = kAfterValue, .count = after.others, .used = after.used};
}

}  // namespace

FrameId Frames::after_value(const ObjectRule& rule, const Frame& frame) {
  return push(frame.node, with_value(rule, frame.progress), frame.parent);
}

void Frames::step_in(const ObjectRule& rule, const Frame& frame, Byte byte, Out& out) {
  const Progress& progress = frame.progress;
  const Members so_far = members_of(progress);
  const auto go_on = [&](std::uint8_t phase, std::uint32_t at = 0) {
    out.push_back(push_space(push(frame.node, with_phase(progress, phase, at), frame.parent)));
  };
  switch (progress.phase) {
    case kBeforeObject:
      if (byte == '{') go_on(kFirstName);
      return;
    case kFirstName:
    case kNextName:
      if (byte == '"') begin_name(rule, frame, out);
      if (byte == '}' && progress.phase == kFirstName && may_end(rule, so_far)) {
        resume(frame.parent, out);
      }
      return;
    case kAfterValue:
      if (byte == '}' && may_end(rule, so_far)) resume(frame.parent, out);
      if (byte == ',' && (next_members(rule, so_far) != 0 || may_have_other(rule, so_far))) {
        go_on(kNextName);
      }
      return;
    case kWithinName:
      return step_in_name(rule, frame, byte, out);
    case kWithinOtherName:
      return step_in_other_name(rule, frame, byte, out);
    case kBeforeColon:
      if (byte == ':') go_on(kBeforeValue, progress.at);
      return;
    default: {
      const bool other = progress.at == kOtherMember;
      enter_and_step(other ? rule.others : rule.members[progress.at].value,
                     after_value(rule, frame), byte, out);
    }
  }
}

void Frames::begin_name(const ObjectRule& rule, const Frame& frame, Out& out) {
  const Members so_far = members_of(frame.progress);
  if (next_members(rule, so_far) != 0) {
    out.push_back(push(frame.node, with_phase(frame.progress, kWithinName), frame.parent));
  }
  if (may_have_other(rule, so_far)) {
    out.push_back(push(frame.node, with_phase(frame.progress, kWithinOtherName), frame.parent));
  }
}

void Frames::step_in_name(const ObjectRule& rule, const Frame& frame, Byte byte, Out& out) {
  const std::uint32_t next = follow(rule.names[frame.progress.at].next, byte);
  if (next == kNoEdge) return;
  const NamePlace& place = rule.names[next];
  if ((place.reach & next_members(rule, members_of(frame.progress))) == 0) return;
  const bool whole = place.member >= 0;
  const Progress progress =
      whole ? with_phase(frame.progress, kBeforeColon, static_cast<std::uint32_t>(place.member))
            : with_phase(frame.progress, kWithinName, next);
  out.push_back(push(frame.node, progress, frame.parent));
}

// A name that is none of the rule's. While it is the beginning of one of them it has no escapes,
// which could spell the rest of it, and no byte of a longer character in common with it.
void Frames::step_in_other_name(const ObjectRule& rule, const Frame& frame, Byte byte, Out& out) {
  Progress progress = frame.progress;
  const bool between = progress.character == Character::none;
  const bool on = progress.at != kOffNames;
  const std::uint32_t next = on ? follow(rule.names[progress.at].next, byte) : kNoEdge;
  if (between && byte == '"') {
    if (next != kNoEdge) return;
    progress = with_phase(progress, kBeforeColon, kOtherMember);
    return out.push_back(push(frame.node, progress, frame.parent));
  }
  if (between && (byte == '<' || (on && byte == '\\'))) return;
  if (next != kNoEdge && byte >= 0x80) return;
  progress.at = next == kNoEdge ? kOffNames : next;
  progress.character = after_byte(progress.character, byte);
  if (progress.character == Character::wrong) return;
  out.push_back(push(frame.node, progress, frame.parent));
}

std::int64_t Frames::cost_in(const ObjectRule& rule, const Frame& frame) {
  const Progress& progress = frame.progress;
  const Members so_far = members_of(progress);
  const std::int64_t below = frames_[frame.parent].cost;
  switch (progress.phase) {
    case kBeforeObject:
      return 1 + cost_of_inside(rule) + below;
    case kFirstName:
      return cost_of_inside(rule) + below;
    case kAfterValue:
      return cost_after(rule, so_far) + below;
    case kNextName:
      return cost_before_name(rule, so_far) + below;
    case kWithinName:
      return cost_of_names(rule, frame);
    default:
      break;
  }
  const bool within = progress.phase == kWithinOtherName;
  const bool other = within || progress.at == kOtherMember;
  Frame member = frame;
  if (other) member.progress.at = kOtherMember;
  const std::int64_t value = other ? rule.other_cost : rule.members[progress.at].value_cost;
  const std::int64_t rest = value + frames_[after_value(rule, member)].cost;
  if (progress.phase == kBeforeValue) return rest;
  if (progress.phase == kBeforeColon) return 1 + rest;
  // One character more where one of the rule's names is.
  const bool taken = progress.at != kOffNames && progress.character == Character::none &&
                     follow(rule.names[progress.at].next, '"') != kNoEdge;
  return rest_of(progress.character) + (taken ? 1 : 0) + 2 + rest;
}

// Of the nearest of the members whose names go on like this.
std::int64_t Frames::cost_of_names(const ObjectRule& rule, const Frame& frame) {
  const NamePlace& place = rule.names[frame.progress.at];
  std::int64_t least = kNever;
  std::uint64_t members = place.reach & next_members(rule, members_of(frame.progress));
  for (; members != 0; members &= members - 1) {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(members));
    Frame member = frame;
    member.progress.at = i;
    const std::int64_t name = std::ssize(rule.members[i].name) - place.depth;
    least = std::min(
        least, name + 1 + rule.members[i].value_cost + frames_[after_value(rule, member)].cost);
  }
  return least;
}

}  // namespace gladius::train
