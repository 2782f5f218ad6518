// Keys and values rearranged for the products of blocked attention. Private to attention.cpp.
#pragma once

#include <cstdint>
#include <memory>

#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/storage.h"

namespace gladius::kernels {

/// Keys of a panel: what a product of a block takes from the first-level cache.
inline constexpr std::int64_t kPanelKeys = 64;

inline std::int64_t padded_keys(std::int64_t keys) {
  return ceil_div(keys, kPanelKeys) * kPanelKeys;
}

/// The panels of every key head, one after another, D * kPanelKeys elements each.
template <class T>
class KeyPanels {
 public:
  explicit KeyPanels(const AttentionShape& shape)
      : shape_(shape),
        memory_(Storage::allocate(
            static_cast<std::size_t>(shape.B * shape.Hkv * padded_keys(shape.S) * shape.D) *
            sizeof(T))) {}

  /// The panel that begins with `key`, a multiple of kPanelKeys.
  T* at(std::int64_t b, std::int64_t kv_head, std::int64_t key) const {
    return reinterpret_cast<T*>(memory_->data()) +
           ((b * shape_.Hkv + kv_head) * padded_keys(shape_.S) + key) * shape_.D;
  }

 private:
  AttentionShape shape_;
  std::shared_ptr<Storage> memory_;
};

/// Panels of x [B, S, Hkv, D] (`stride` between tokens), each transposed to [D, kPanelKeys], with
/// zeros for the keys that the last one lacks.
template <class T>
KeyPanels<T> transposed_panels(const AttentionShape& shape, const T* x, std::int64_t stride);

/// The same, each [kPanelKeys, D]; what the last one lacks is left undefined.
template <class T>
KeyPanels<T> row_panels(const AttentionShape& shape, const T* x, std::int64_t stride);

/// y [m, n] (rows `ldy` apart and padded to whole panels) = x [m, D] times `n` keys of transposed
/// panels.
template <class T>
void multiply_panels(std::int64_t m, std::int64_t n, std::int64_t D, const T* x, const T* panels,
                     T* y, std::int64_t ldy);

}  // namespace gladius::kernels
