// Sets of characters, as regular expressions have them. For this folder.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

namespace gladius::train {

/// Of Unicode, without surrogates.
class CharacterSet {
 public:
  struct Range {
    char32_t first, last;
    bool operator==(const Range&) const = default;
  };
  static constexpr char32_t kLast = 0x10FFFF;

  CharacterSet() = default;
  CharacterSet(std::initializer_list<Range> ranges) : ranges_(ranges) { arrange(); }
  static CharacterSet all() { return CharacterSet().complement(); }

  void add(const CharacterSet& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
    arrange();
  }
  CharacterSet complement() const {
    CharacterSet result;
    char32_t next = 0;
    CharacterSet taken = *this;
    taken.add({{0xD800, 0xDFFF}});  // surrogates
    for (const Range& range : taken.ranges_) {
      if (range.first > next) result.ranges_.push_back({next, range.first - 1});
      next = range.last + 1;
    }
    if (next <= kLast) result.ranges_.push_back({next, kLast});
    return result;
  }
  bool contains(char32_t character) const {
    return std::ranges::any_of(ranges_, [&](const Range& range) {
      return range.first <= character && character <= range.last;
    });
  }
  /// Apart from each other, in order.
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  void arrange() {
    std::ranges::sort(ranges_, {}, &Range::first);
    std::vector<Range> merged;
    for (const Range& range : ranges_) {
      if (!merged.empty() && range.first <= merged.back().last + 1) {
        merged.back().last = std::max(merged.back().last, range.last);
      } else {
        merged.push_back(range);
      }
    }
    ranges_ = std::move(merged);
  }

  std::vector<Range> ranges_;
};

}  // namespace gladius::train
