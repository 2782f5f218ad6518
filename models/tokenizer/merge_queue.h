// The queue of a long word's possible merges.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace gladius {

/// Gives merges by rank, then from left to right. Ranks fall into buckets, of which only the one in
/// work is a heap: that keeps to the processor's caches where one heap of millions would not.
class MergeQueue {
 public:
  struct Merge {
    std::uint32_t rank, position;
  };

  explicit MergeQueue(std::uint32_t ranks)
      : shift_(std::max(static_cast<int>(std::bit_width(ranks)) - kBucketBits, 0)),
        buckets_(1u << kBucketBits) {}

  void push(Merge merge) {
    const std::uint64_t key = std::uint64_t{merge.rank} << 32 | merge.position;
    const std::size_t bucket = merge.rank >> shift_;
    if (bucket >= next_) return buckets_[bucket].push_back(key);
    heap_.push_back(key);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  std::optional<Merge> pop() {
    for (; heap_.empty(); ++next_) {
      if (next_ == buckets_.size()) return std::nullopt;
      heap_ = std::move(buckets_[next_]);
      buckets_[next_] = {};
      std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const std::uint64_t key = heap_.back();
    heap_.pop_back();
    return Merge{static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key)};
  }

 private:
  static constexpr int kBucketBits = 11;
  int shift_;
  std::size_t next_ = 0;  // the first bucket that is not in the heap
  std::vector<std::uint64_t> heap_;
  std::vector<std::vector<std::uint64_t>> buckets_;
};

}  // namespace gladius
