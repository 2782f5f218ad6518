// Writing GGUF files, version 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/models/gguf/types.h"

namespace gladius::gguf {

/// Keys with their values, in the order in which they are added.
class KeyWriter {
 public:
  void add(std::string_view key, std::uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, const std::vector<std::string>& values);
  void add(std::string_view key, const std::vector<std::int32_t>& values);
  void add(std::string_view key, const std::vector<float>& values);

  const std::string& bytes() const { return bytes_; }
  std::uint64_t count() const { return count_; }

 private:
  std::string bytes_;
  std::uint64_t count_ = 0;
};

struct TensorPlan {
  std::string name;
  std::vector<std::int64_t> shape;  ///< Hugging Face's order
  const TensorType* type = nullptr;
};

/// Takes bytes of a tensor, in their order.
using Sink = std::function<void(std::span<const std::byte>)>;

/// Writes a file that appears whole or not at all. `data` hands the bytes of each tensor to the
/// sink, once and in order. IoError; FormatError for a tensor whose bytes are not as many as its
/// shape and type say, or whose rows are not whole blocks.
void write_file(const std::filesystem::path& path, const KeyWriter& keys,
                const std::vector<TensorPlan>& tensors,
                const std::function<void(std::size_t tensor, const Sink& sink)>& data);

}  // namespace gladius::gguf
