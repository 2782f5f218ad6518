// A hash map from 64-bit keys in one array, for lookups by the million.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gladius::text {

/// A key of two ids or characters.
constexpr std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
  return std::uint64_t{left} << 32 | right;
}

template <class Value>
class FlatMap {
 public:
  explicit FlatMap(std::size_t expected = 0)
      : slots_(std::bit_ceil(2 * expected + 1)), mask_(slots_.size() - 1) {}

  /// Adds or replaces. `key` is not ~0.
  void set(std::uint64_t key, const Value& value) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[place(key)];
    count_ += slot.key == kEmpty;
    slot = {key, value};
  }

  /// The value, or null.
  const Value* find(std::uint64_t key) const {
    const Slot& slot = slots_[place(key)];
    return slot.key == kEmpty ? nullptr : &slot.value;
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kEmpty;
    Value value{};
  };

  // Fibonacci hashing: the product's upper half is well mixed.
  std::size_t place(std::uint64_t key) const {
    std::size_t at = (key * 0x9E3779B97F4A7C15u >> 32 ^ key * 0x9E3779B97F4A7C15u >> 48) & mask_;
    while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & mask_;
    return at;
  }

  void grow() {
    FlatMap larger(slots_.size());
    for (const Slot& slot : slots_) {
      if (slot.key != kEmpty) larger.set(slot.key, slot.value);
    }
    *this = std::move(larger);
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
  std::size_t count_ = 0;
};

}  // namespace gladius::text
