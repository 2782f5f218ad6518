// The merging of a word's symbols.
#include <algorithm>
#include <functional>
#include <optional>
#include <queue>
#include <span>

#include "gladius/models/tokenizer/bpe.h"

namespace gladius::text {
namespace {

constexpr std::uint32_t kNone = 0xFFFFFFFF;

// Merges by rank, then from left to right.
class MergeQueue {
 public:
  struct Merge {
    std::uint32_t rank, position;
  };

  void push(Merge merge) { keys_.push(std::uint64_t{merge.rank} << 32 | merge.position); }

  std::optional<Merge> pop() {
    if (keys_.empty()) return std::nullopt;
    const std::uint64_t key = keys_.top();
    keys_.pop();
    return Merge{static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key)};
  }

 private:
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> keys_;
};

}  // namespace

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  return merges_.find(
      pair_key(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right)));
}

// Merges symbols[begin, end) by looking over all pairs for each merge.
void Bpe::merge_short(std::vector<WordToken>& symbols, std::size_t begin) const {
  WordToken* word = symbols.data() + begin;
  std::size_t count = symbols.size() - begin;
  if (count < 2) return;
  const auto rank_at = [&](std::size_t i) {
    const Merge* merge = find_merge(word[i].id, word[i + 1].id);
    return merge ? merge->rank : kNone;
  };
  std::vector<std::uint32_t> ranks(count - 1);
  for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = rank_at(i);
  while (count > 1) {
    const auto best = std::min_element(ranks.begin(), ranks.end());
    if (*best == kNone) break;
    const auto at = static_cast<std::size_t>(best - ranks.begin());
    word[at] = {merged_[*best], word[at].bytes + word[at + 1].bytes};
    std::copy(word + at + 2, word + count, word + at + 1);
    ranks.erase(best);
    --count;
    if (at > 0) ranks[at - 1] = rank_at(at - 1);
    if (at + 1 < count) ranks[at] = rank_at(at);
  }
  symbols.resize(begin + count);
}

// The same with a queue, for windows of many symbols. The symbols are a linked list over their
// first positions; a queued merge whose pair has changed since is dropped.
std::vector<Bpe::WindowToken> Bpe::merge_window(std::span<const WordToken> symbols) const {
  struct Links {
    std::uint32_t previous, next, rank;  // rank of the merge with the next
  };
  std::vector<WindowToken> tokens;
  tokens.reserve(symbols.size());
  for (const WordToken& symbol : symbols) tokens.push_back({symbol, 1});
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<Links> links(count);
  MergeQueue queue;
  const auto find_rank = [&](std::uint32_t at) {
    const std::uint32_t next = links[at].next;
    const Merge* merge =
        next == kNone ? nullptr : find_merge(tokens[at].token.id, tokens[next].token.id);
    links[at].rank = merge ? merge->rank : kNone;
    if (merge) queue.push({merge->rank, at});
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    links[i] = {i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1, kNone};
    find_rank(i);
  }
  while (const std::optional<MergeQueue::Merge> merge = queue.pop()) {
    const std::uint32_t at = merge->position;
    if (links[at].rank != merge->rank) continue;
    const std::uint32_t right = links[at].next;
    tokens[at].token.id = merged_[merge->rank];
    tokens[at].token.bytes += tokens[right].token.bytes;
    tokens[at].symbols += tokens[right].symbols;
    links[at].next = links[right].next;
    links[right].rank = kNone;
    if (links[at].next != kNone) links[links[at].next].previous = at;
    find_rank(at);
    if (links[at].previous != kNone) find_rank(links[at].previous);
  }
  std::size_t kept = 0;
  for (std::uint32_t at = 0; at != kNone; at = links[at].next) tokens[kept++] = tokens[at];
  tokens.resize(kept);
  return tokens;
}

// Merges symbols[begin, end) window by window, so that the work stays in the processor's caches and
// its time is linear in the length.
//
// A window is cut between two of its tokens, a and b, and the next begins with b's symbols. What
// happens in the span of two adjacent tokens does not depend on what lies around them: between
// their outer ends the merges are those of the span alone, in the same order. So where the next
// window's first token is b again, and stays b, no merge crosses the cut in the whole word either.
// Where it is another, the first window was too short to tell and is made longer; if that changes
// its own first token, earlier cuts were wrong, and the word is merged in one.
void Bpe::merge_long(std::vector<WordToken>& symbols, std::size_t begin) const {
  constexpr std::size_t kWindow = 1 << 14;
  constexpr std::size_t kMargin = 1 << 8;  // symbols behind a cut
  const std::size_t count = symbols.size() - begin;
  const auto window_at = [&](std::size_t at, std::size_t size) {
    return merge_window(std::span(symbols).subspan(begin + at, std::min(size, count - at)));
  };
  std::vector<WordToken> merged;
  std::size_t at = 0, size = kWindow;
  std::vector<WindowToken> window = window_at(at, size);
  while (count - at > size) {
    std::size_t cut = 0, end = at;
    while (end + window[cut].symbols <= at + size - kMargin) end += window[cut++].symbols;
    std::vector<WindowToken> next;
    if (cut > 0) next = window_at(end, kWindow);
    if (cut > 0 && next.front() == window[cut]) {
      for (std::size_t i = 0; i < cut; ++i) merged.push_back(window[i].token);
      at = end;
      size = kWindow;
      window = std::move(next);
      continue;
    }
    size *= 2;
    std::vector<WindowToken> longer = window_at(at, size);
    if (!(longer.front() == window.front()) && at > 0) {
      merged.clear();
      at = 0;
      size = count;
      longer = window_at(at, size);
    }
    window = std::move(longer);
  }
  for (const WindowToken& last : window) merged.push_back(last.token);
  symbols.resize(begin);
  symbols.insert(symbols.end(), merged.begin(), merged.end());
}

}  // namespace gladius::text
