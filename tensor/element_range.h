// Which numbers an element type can hold.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "gladius/tensor/dispatch.h"

namespace gladius {

// `value` as an element; Error for a whole number that the type cannot hold (PyTorch refuses it
// too, but for negative ones in unsigned types, which wrap around).
template <class T>
T checked_element(const char* op, double value) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    const double beyond = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const double lowest = std::is_signed_v<T> ? -beyond : std::max(-beyond, -0x1p63);
    if (!(value >= lowest && value < beyond)) {
      throw Error(fmt::format("{}: {} does not fit {}", op, value, dtype_name(dtype_of<T>)));
    }
    if (value < 0) return static_cast<T>(static_cast<std::int64_t>(value));
  }
  return convert_element<T>(value);
}

/// Whether a conversion from one type to the other may meet a number that the other cannot hold; a
/// floating-point type holds all, rounded.
template <class To, class From>
inline constexpr bool kMayNotFit = [] {
  if constexpr (!std::is_integral_v<To> || std::is_same_v<To, bool> || std::is_same_v<From, bool>) {
    return false;
  } else if constexpr (std::is_integral_v<From>) {
    return !std::in_range<To>(std::numeric_limits<From>::min()) ||
           !std::in_range<To>(std::numeric_limits<From>::max());
  } else {
    return true;
  }
}();

/// Whether the integer type holds `value`, whose fraction is cut off.
template <class To, class From>
bool fits(From value) {
  if constexpr (std::is_integral_v<From>) {
    return std::in_range<To>(value);
  } else if constexpr (sizeof(From) == 2) {
    return fits<To>(static_cast<float>(value));
  } else {
    const auto whole = std::trunc(static_cast<double>(value));
    const double beyond = std::ldexp(1.0, std::numeric_limits<To>::digits);
    return whole >= (std::is_signed_v<To> ? -beyond : 0.0) && whole < beyond;  // false for NaN
  }
}

}  // namespace gladius
