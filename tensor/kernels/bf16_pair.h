// Two neighbouring bfloat16 operands of a sum of products. Private to the kernels.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "gladius/tensor/half.h"

namespace gladius::kernels {

/// What a lane of a processor's bfloat16 instructions multiplies: two numbers in the bits of a
/// float, which is how vectors load them.
struct Bf16Pair {
  float bits = 0;

  Bf16Pair() = default;
  Bf16Pair(bfloat16 first, bfloat16 second)
      : bits(std::bit_cast<float>(static_cast<std::uint32_t>(first.bits) |
                                  static_cast<std::uint32_t>(second.bits) << 16)) {}
};

/// How many factors an E has, and the type of sums over their products.
template <class E>
inline constexpr std::int64_t kTerms = std::is_base_of_v<Bf16Pair, E> ? 2 : 1;
template <class E>
using SumOf = std::conditional_t<kTerms<E> == 2, float, E>;

}  // namespace gladius::kernels
