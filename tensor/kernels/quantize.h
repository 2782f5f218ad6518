// What the quantisers of blocks have in common. Private.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "gladius/tensor/dtype.h"
#include "gladius/tensor/half.h"

namespace gladius::kernels {

/// Makes a block of finite numbers; false if F16 cannot hold its scale.
using QuantizeBlock = bool (*)(const float* x, std::byte* block);

/// That of Q4_K or Q6_K.
QuantizeBlock k_block_quantizer(Dtype dtype);

/// Appends fields to a block.
class BlockWriter {
 public:
  explicit BlockWriter(std::byte* at) : at_(at) {}
  void half(float value) {
    const float16 stored(value);
    fits_ = fits_ && std::isfinite(static_cast<float>(stored));
    put(&stored, sizeof stored);
  }
  void put(const void* bytes, std::size_t count) {
    std::memcpy(at_, bytes, count);
    at_ += count;
  }
  /// The low four bits of levels, two a byte.
  void nibbles(std::span<const std::uint8_t> low, std::span<const std::uint8_t> high) {
    for (std::size_t i = 0; i < low.size(); ++i) {
      const auto both = static_cast<std::uint8_t>((low[i] & 15) | high[i] << 4);
      put(&both, 1);
    }
  }
  /// Whether all halves were finite.
  bool fits() const { return fits_; }

 private:
  std::byte* at_;
  bool fits_ = true;
};

}  // namespace gladius::kernels
