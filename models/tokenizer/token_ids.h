// A vocabulary: texts to ids, in few allocations.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gladius::text {

class TokenIds {
 public:
  struct Token {
    std::string_view text;
    std::int32_t id;
  };

  explicit TokenIds(std::size_t expected = 0)
      : slots_(std::bit_ceil(2 * expected + 1)), mask_(slots_.size() - 1) {
    tokens_.reserve(expected);
  }

  /// A text that is there already keeps its id.
  void add(std::string_view text, std::int32_t id) {
    if (2 * (tokens_.size() + 1) > slots_.size()) grow();
    const std::uint32_t hash = hash_of(text);
    Slot& slot = slots_[place(text, hash)];
    if (slot.number != 0) return;
    tokens_.push_back({texts_.size(), text.size(), id});
    texts_ += text;
    slot = {hash, static_cast<std::uint32_t>(tokens_.size())};
  }

  /// The id, or -1.
  std::int32_t find(std::string_view text) const {
    const Slot& slot = slots_[place(text, hash_of(text))];
    return slot.number == 0 ? -1 : tokens_[slot.number - 1].id;
  }

  std::size_t size() const { return tokens_.size(); }
  /// In the order in which they were added; valid until the next add().
  Token operator[](std::size_t i) const { return {text_of(tokens_[i]), tokens_[i].id}; }

 private:
  struct Stored {
    std::size_t begin, size;
    std::int32_t id;
  };
  struct Slot {
    std::uint32_t hash = 0, number = 0;  // of the token, from 1; 0 is empty
  };

  static std::uint32_t hash_of(std::string_view text) {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(text));
  }
  std::string_view text_of(const Stored& token) const {
    return std::string_view(texts_).substr(token.begin, token.size);
  }
  // Where the text is, or the empty slot for it.
  std::size_t place(std::string_view text, std::uint32_t hash) const {
    std::size_t at = hash & mask_;
    for (; slots_[at].number != 0; at = (at + 1) & mask_) {
      if (slots_[at].hash == hash && text_of(tokens_[slots_[at].number - 1]) == text) break;
    }
    return at;
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Slot& slot : old) {
      if (slot.number != 0) slots_[place(text_of(tokens_[slot.number - 1]), slot.hash)] = slot;
    }
  }

  std::vector<Stored> tokens_;
  std::string texts_;
  std::vector<Slot> slots_;
  std::size_t mask_;
};

}  // namespace gladius::text
