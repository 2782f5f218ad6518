// How elements of any type compare.
#pragma once

#include <cmath>
#include <type_traits>

namespace gladius {

/// The type that elements of type T are compared as: the 16-bit floats have no comparison of their
/// own.
template <class T>
using Comparable = std::conditional_t<std::is_class_v<T>, float, T>;

/// NaN, for floating-point types.
template <class V>
bool is_nan(V value) {
  if constexpr (std::is_floating_point_v<V>) {
    return std::isnan(value);
  } else {
    return false;
  }
}

/// a < b in an order of all values: NaN comes after every number, as in PyTorch.
template <class V>
bool less_nan_last(V a, V b) {
  return a < b || (is_nan(b) && !is_nan(a));
}

}  // namespace gladius
