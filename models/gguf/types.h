// The element types of GGUF's tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gladius::gguf {

/// An element type as ggml numbers and names it.
struct TensorType {
  std::uint32_t id;
  std::string_view name;
  std::uint64_t elements;  ///< of a block; 1 for plain numbers
  std::uint64_t bytes;     ///< a block
};

/// Null for a number that ggml has given to no type, or has taken away again.
const TensorType* find_type(std::uint32_t id);
const TensorType* find_type(std::string_view name);

}  // namespace gladius::gguf
