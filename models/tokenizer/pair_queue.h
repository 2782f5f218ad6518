// The pairs of neighbours that byte pair encoding counts, the most frequent first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "gladius/models/tokenizer/flat_map.h"

namespace gladius::text {

/// Counts and places of pairs in a priority queue. An entry keeps the count that its pair had when
/// it was queued; pop() compares it and queues it anew if the count is another by now.
///
/// In rounds, as the trainer of `tokenizers` works: what is counted in a round is one entry of its
/// pair, and a pair's own count stays as it is when it is merged (the neighbours' counts change).
/// Both show in the result only where a token comes about in two ways, and are kept for its sake.
class PairQueue {
 public:
  using Position = std::uint32_t;
  struct Pair {
    std::int64_t count;
    std::int32_t left, right;
    std::uint32_t state;     // the index of its counts
    std::size_t begin, end;  // of its positions, those of the entry
    // std::priority_queue has the greatest first: the highest count, of several the lower ids.
    bool operator<(const Pair& other) const {
      if (count != other.count) return count < other.count;
      return left != other.left ? left > other.left : right > other.right;
    }
  };

  /// Adds `change` to the pair's count, and if that is positive, `at` to its places.
  void count(std::int32_t left, std::int32_t right, std::int64_t change, Position at);
  /// Queues the pairs that have got places since the last call.
  void end_round();

  /// The most frequent pair, if it has at least `least`.
  std::optional<Pair> pop(std::int64_t least);

  /// The places of a pair that was popped, sorted: all those in words that the entry has places in
  /// (`word(position)` numbers the words). Some may no longer hold the pair.
  template <class Word>
  std::vector<Position> take_positions(const Pair& pair, const Word& word);

 private:
  struct State {
    std::int64_t count = 0;
    std::vector<Position> positions;
    std::size_t round_begin = 0;  // the first position of this round
    std::uint64_t round = 0;      // the last in which a position came
    std::size_t entries = 0;      // in the queue
  };
  struct Touched {
    std::int32_t left, right;
    std::uint32_t state;
  };

  FlatMap<std::uint32_t> index_;
  std::vector<State> states_;
  std::vector<Touched> touched_;
  std::uint64_t round_ = 1;
  std::priority_queue<Pair> queue_;
};

inline void PairQueue::count(std::int32_t left, std::int32_t right, std::int64_t change,
                             Position at) {
  const auto key = pair_key(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right));
  const std::uint32_t* found = index_.find(key);
  const auto number = found ? *found : static_cast<std::uint32_t>(states_.size());
  if (!found) {
    index_.set(key, number);
    states_.emplace_back();
  }
  State& state = states_[number];
  state.count += change;
  if (change <= 0) return;
  if (state.round != round_) {
    state.round = round_;
    state.round_begin = state.positions.size();
    touched_.push_back({left, right, number});
  }
  state.positions.push_back(at);
}

inline void PairQueue::end_round() {
  for (const Touched& pair : touched_) {
    State& state = states_[pair.state];
    if (state.count > 0) {
      queue_.push({state.count, pair.left, pair.right, pair.state, state.round_begin,
                   state.positions.size()});
      ++state.entries;
    } else {
      state.positions.resize(state.round_begin);
    }
  }
  touched_.clear();
  ++round_;
}

inline std::optional<PairQueue::Pair> PairQueue::pop(std::int64_t least) {
  while (!queue_.empty()) {
    Pair pair = queue_.top();
    queue_.pop();
    const std::int64_t now = states_[pair.state].count;
    if (pair.count == now) {
      if (now < least) return std::nullopt;
      return pair;
    }
    pair.count = now;
    queue_.push(pair);
  }
  return std::nullopt;
}

template <class Word>
std::vector<PairQueue::Position> PairQueue::take_positions(const Pair& pair, const Word& word) {
  State& state = states_[pair.state];
  std::vector<Position> taken;
  if (--state.entries == 0) {
    taken = std::exchange(state.positions, {});
  } else {
    std::vector<std::uint32_t> words;
    for (std::size_t i = pair.begin; i < pair.end; ++i) words.push_back(word(state.positions[i]));
    std::ranges::sort(words);
    for (const Position at : state.positions) {
      if (std::ranges::binary_search(words, word(at))) taken.push_back(at);
    }
  }
  std::ranges::sort(taken);
  return taken;
}

}  // namespace gladius::text
