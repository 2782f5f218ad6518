// The element types of safetensors files, of which Dtype covers those that a Tensor can hold.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "gladius/tensor/dtype.h"

namespace gladius {

/// An element type as a file names it.
struct StoredDtype {
  std::string_view name;
  /// Bits an element: 4, 6, 8, 16, 32 or 64.
  std::uint64_t bits = 0;
  /// The Tensor element type, where there is one.
  std::optional<Dtype> dtype;

  friend bool operator==(const StoredDtype& a, const StoredDtype& b) { return a.name == b.name; }
};

/// All of them, in the order of the reference implementation (safetensors 0.8.0), which decides
/// where a writer puts them: the last first.
std::span<const StoredDtype> stored_dtypes();
/// Position in stored_dtypes(), or its size for an unknown name.
std::size_t stored_dtype_rank(std::string_view name);
/// How a Tensor's elements are stored. DtypeError for a quantised type.
StoredDtype stored_dtype(Dtype dtype);

}  // namespace gladius
