// Random blocks of quantised numbers.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "gladius/tensor/half.h"
#include "support/random.h"

namespace gladius::testing {

/// Every quantised type.
inline constexpr Dtype kBlockTypes[] = {Dtype::Q4_0, Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1,
                                        Dtype::Q8_0, Dtype::Q2_K, Dtype::Q3_K, Dtype::Q4_K,
                                        Dtype::Q5_K, Dtype::Q6_K};

/// Where a block of the type has its scales in F16; they come two bytes apart.
struct ScalePlace {
  std::size_t begin, count;
};
inline ScalePlace scale_place(Dtype dtype) {
  switch (dtype) {
    case Dtype::Q4_1:
    case Dtype::Q5_1:
    case Dtype::Q4_K:
    case Dtype::Q5_K:
      return {0, 2};
    case Dtype::Q2_K:
      return {80, 2};
    case Dtype::Q3_K:
      return {108, 1};
    case Dtype::Q6_K:
      return {208, 1};
    default:
      return {0, 1};
  }
}

/// Random bytes with scales that make numbers of about one at most.
inline Tensor random_blocks(Rng& rng, const Shape& shape, Dtype dtype) {
  const Tensor blocks = Tensor::empty(shape, dtype);
  std::byte* bytes = blocks.raw_data();
  for (std::size_t i = 0; i < blocks.nbytes(); ++i) bytes[i] = static_cast<std::byte>(rng());
  const auto [begin, count] = scale_place(dtype);
  const double largest = dtype == Dtype::Q8_0   ? 1.0 / 128
                         : dtype == Dtype::Q6_K ? 1.0 / (128 * 32)
                         : dtype >= Dtype::Q2_K ? 1.0 / (63 * 31)
                                                : 1.0 / 32;
  for (std::size_t block = 0; block < blocks.nbytes(); block += dtype_size(dtype)) {
    for (std::size_t i = 0; i < count; ++i) {
      const double scale = std::uniform_real_distribution<double>(-largest, largest)(rng);
      const float16 stored(static_cast<float>(scale));
      std::memcpy(bytes + block + begin + 2 * i, &stored.bits, sizeof stored.bits);
    }
  }
  return blocks;
}

}  // namespace gladius::testing
