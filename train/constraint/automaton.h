// The automaton of a grammar: which bytes may come next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "gladius/train/constraint/grammar.h"

namespace gladius::train {

class Frames;

/// A deterministic automaton over bytes that is built as it is used. It has no dead ends: from each
/// of its states the end of a text can be reached. For one thread at a time.
class Automaton {
 public:
  using State = std::uint32_t;
  static constexpr State kDead = UINT32_MAX;

  /// FormatError where no text fits the grammar.
  explicit Automaton(std::shared_ptr<const Grammar> grammar);
  ~Automaton();

  const Grammar& grammar() const { return *grammar_; }
  State start() const { return start_; }
  /// kDead for a byte that cannot come.
  State step(State state, unsigned char byte) {
    const State next = states_[state].next[byte];
    return next != kUnknown ? next : find_step(state, byte);
  }
  /// Whether the text may end here.
  bool accepts(State state) const { return states_[state].cost == 0; }
  /// To the nearest end.
  std::int64_t fewest_bytes(State state) const { return states_[state].cost; }
  /// The first byte of the first, in the order of bytes, of the shortest texts to an end. Not for a
  /// state that accepts.
  unsigned char shortest_way(State state);

  /// How many characters of strings may come, whatever they are (but for quotation marks,
  /// backslashes and </); -1: not any.
  std::int64_t room_for_characters(State state) const { return states_[state].room; }
  /// Whether nothing but such characters, and what ends or goes on after the string, may come.
  bool is_in_strings(State state) const { return states_[state].in_strings; }

  /// A state from which the same texts of up to so many characters may come: that of fewer
  /// characters where strings may still get as many.
  State far_from_bounds(State state, std::int64_t characters);

  /// The number of states so far.
  std::size_t size() const { return states_.size(); }
  /// Forgets all states but start() and this one; returns what it is now.
  State forget_others(State state);

 private:
  static constexpr State kUnknown = UINT32_MAX - 1;

  struct Known {
    std::vector<std::uint32_t> threads;  // frames, any of which the text may be in
    std::int64_t cost = 0;
    std::int64_t room = -1;
    bool in_strings = false;
    std::array<State, 256> next;
  };

  State find_step(State state, unsigned char byte);
  State add(std::vector<std::uint32_t> threads);
  State begin();

  std::shared_ptr<const Grammar> grammar_;
  std::unique_ptr<Frames> frames_;
  std::deque<Known> states_;
  std::map<std::vector<std::uint32_t>, State> by_threads_;
  State start_ = 0;
};

}  // namespace gladius::train
