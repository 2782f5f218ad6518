// Keys and values rearranged for the products of blocked attention. Private to attention.cpp.
#pragma once

#include <cstdint>
#include <memory>

#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/kernels/bf16_pair.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/storage.h"

namespace gladius::kernels {

/// Keys of a panel: what a product of a block takes from the first-level cache.
inline constexpr std::int64_t kPanelKeys = 64;

inline std::int64_t padded_keys(std::int64_t keys) {
  return ceil_div(keys, kPanelKeys) * kPanelKeys;
}

/// The panels of every key head, one after another, of `size` elements each: floats, doubles or
/// pairs.
template <class E>
class KeyPanels {
 public:
  KeyPanels(const AttentionShape& shape, std::int64_t size)
      : heads_(shape.Hkv),
        panels_(ceil_div(shape.S, kPanelKeys)),
        size_(size),
        memory_(Storage::allocate(static_cast<std::size_t>(shape.B * heads_ * panels_ * size) *
                                  sizeof(E))) {}

  /// The panel that begins with `key`, a multiple of kPanelKeys.
  E* at(std::int64_t b, std::int64_t kv_head, std::int64_t key) const {
    return reinterpret_cast<E*>(memory_->data()) +
           ((b * heads_ + kv_head) * panels_ + key / kPanelKeys) * size_;
  }
  std::int64_t size() const { return size_; }

 private:
  std::int64_t heads_, panels_, size_;
  std::shared_ptr<Storage> memory_;
};

/// Panels of x [B, S, Hkv, D] (`stride` between tokens), each transposed to [D, kPanelKeys], with
/// zeros for the keys that the last one lacks. Pairs are of neighbours in D.
template <class E>
KeyPanels<E> transposed_panels(const AttentionShape& shape, const SumOf<E>* x, std::int64_t stride);

/// The same, each [kPanelKeys, D]; what the last one lacks is left undefined. Pairs are of
/// neighbouring keys.
template <class E>
KeyPanels<E> row_panels(const AttentionShape& shape, const SumOf<E>* x, std::int64_t stride);

/// y [m, n] (rows `ldy` apart and padded to whole panels) = x [m, D] times `n` keys of `panels`,
/// which are transposed, from `first` on.
template <class E>
void multiply_panels(std::int64_t m, std::int64_t n, std::int64_t D, const E* x,
                     const KeyPanels<E>& panels, const E* first, SumOf<E>* y, std::int64_t ldy);

}  // namespace gladius::kernels
