#include "gladius/train/constraint/automaton.h"

#include <algorithm>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/train/constraint/frames.h"

namespace gladius::train {

Automaton::Automaton(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), frames_(std::make_unique<Frames>(*grammar_)) {
  if (grammar_->cost(grammar_->root) >= kNever) {
    throw FormatError("no text that can be written fits the schema");
  }
  start_ = begin();
}

Automaton::~Automaton() = default;

Automaton::State Automaton::begin() { return add({frames_->start()}); }

Automaton::State Automaton::add(std::vector<std::uint32_t> threads) {
  std::ranges::sort(threads);
  threads.erase(std::ranges::unique(threads).begin(), threads.end());
  const auto [place, added] =
      by_threads_.try_emplace(std::move(threads), static_cast<State>(states_.size()));
  if (!added) return place->second;
  Known& known = states_.emplace_back();
  known.threads = place->first;
  known.cost = kNever;
  known.in_strings = true;
  known.next.fill(kUnknown);
  for (const FrameId frame : known.threads) {
    known.cost = std::min(known.cost, frames_->cost(frame));
    const std::int64_t room = frames_->room_for_characters(frame);
    known.room = std::max(known.room, room);
    known.in_strings = known.in_strings && room >= 0;
  }
  return place->second;
}

Automaton::State Automaton::find_step(State state, unsigned char byte) {
  std::vector<FrameId> next;
  for (const FrameId frame : states_[state].threads) frames_->step(frame, byte, next);
  const State found = next.empty() ? kDead : add(std::move(next));
  states_[state].next[byte] = found;
  return found;
}

unsigned char Automaton::shortest_way(State state) {
  for (int byte = 0; byte < 256; ++byte) {
    const State next = step(state, static_cast<unsigned char>(byte));
    if (next != kDead && fewest_bytes(next) < fewest_bytes(state)) {
      return static_cast<unsigned char>(byte);
    }
  }
  throw Error("constraint: a state has no way to an end");
}

Automaton::State Automaton::far_from_bounds(State state, std::int64_t characters) {
  std::vector<FrameId> threads = states_[state].threads;
  for (FrameId& frame : threads) frame = frames_->far_from_bound(frame, characters);
  return add(std::move(threads));
}

Automaton::State Automaton::forget_others(State state) {
  const std::vector<std::uint32_t> threads = std::move(states_[state].threads);
  const std::unique_ptr<Frames> old = std::exchange(frames_, std::make_unique<Frames>(*grammar_));
  states_.clear();
  by_threads_.clear();
  start_ = begin();
  std::vector<std::uint32_t> adopted;
  for (const FrameId frame : threads) adopted.push_back(frames_->adopt(*old, frame));
  return add(std::move(adopted));
}

}  // namespace gladius::train
