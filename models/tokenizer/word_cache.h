// The tokens of words that were seen before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::text {

/// A token and how many bytes of its word it stands for.
struct WordToken {
  std::int32_t id;
  std::uint32_t bytes;
  bool operator==(const WordToken&) const = default;
};

/// Bounded: a full cache starts anew. For one thread at a time.
class WordCache {
 public:
  /// Longer words are not worth their place.
  static constexpr std::size_t kLongestWord = 96;

  WordCache() : slots_(kSlots) {}

  static std::size_t hash(std::string_view word) { return std::hash<std::string_view>{}(word); }

  /// The word's tokens; none if it is not there (no word is without tokens in the cache).
  std::span<const WordToken> find(std::string_view word, std::size_t hash) const {
    const Slot& slot = slots_[place(word, hash)];
    return {tokens_.data() + slot.tokens, slot.token_count};
  }

  void add(std::string_view word, std::size_t hash, std::span<const WordToken> tokens) {
    if (tokens.empty()) return;
    if (2 * (count_ + 1) > kSlots) clear();
    slots_[place(word, hash)] = {
        hash, static_cast<std::uint32_t>(words_.size()), static_cast<std::uint32_t>(word.size()),
        static_cast<std::uint32_t>(tokens_.size()), static_cast<std::uint32_t>(tokens.size())};
    words_ += word;
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    ++count_;
  }

 private:
  static constexpr std::size_t kSlots = 1 << 16;
  struct Slot {
    std::size_t hash = 0;
    std::uint32_t word = 0, word_size = 0;
    std::uint32_t tokens = 0, token_count = 0;
  };

  std::size_t place(std::string_view word, std::size_t hash) const {
    for (std::size_t at = hash % kSlots;; at = (at + 1) % kSlots) {
      const Slot& slot = slots_[at];
      if (slot.token_count == 0) return at;
      if (slot.hash == hash && std::string_view(words_).substr(slot.word, slot.word_size) == word) {
        return at;
      }
    }
  }

  void clear() {
    slots_.assign(kSlots, {});
    words_.clear();
    tokens_.clear();
    count_ = 0;
  }

  std::vector<Slot> slots_;
  std::string words_;
  std::vector<WordToken> tokens_;
  std::size_t count_ = 0;
};

}  // namespace gladius::text
