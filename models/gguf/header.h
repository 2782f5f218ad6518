// What a GGUF file says before its data: keys with values, and where each tensor lies. Files come
// from anywhere: nothing is believed that the file's size does not bear out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gladius/models/gguf/types.h"

namespace gladius::gguf {

/// Types of values, as the format numbers them.
enum class ValueType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};
/// "u32", "string", ...
std::string_view name_of(ValueType type);

/// Elements of one type, none of them an array: numbers widened, texts as views of the file.
using Array = std::variant<std::vector<std::uint64_t>, std::vector<std::int64_t>,
                           std::vector<double>, std::vector<bool>, std::vector<std::string_view>>;
std::size_t size_of(const Array& array);

struct Value {
  ValueType type = ValueType::u8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, Array> value;
};

struct TensorInfo {
  std::string name;
  /// Hugging Face's order: the last dimension's elements are neighbours.
  std::vector<std::int64_t> shape;
  const TensorType* type = nullptr;
  std::uint64_t begin = 0, end = 0;  ///< bytes of the file
};

struct Header {
  std::uint32_t version = 0;
  std::uint64_t alignment = 0;
  std::map<std::string, Value, std::less<>> keys;
  std::vector<TensorInfo> tensors;  ///< in the order of their bytes
};

/// Reads the beginning of `file`, the whole file's bytes, which the header's texts are views of.
/// FormatError for anything that is malformed, ConfigError for a version that is not read; `where`
/// begins the messages.
Header parse_header(std::span<const std::byte> file, const std::string& where);

}  // namespace gladius::gguf
