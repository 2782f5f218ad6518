// An open GGUF file: its keys, and its tensors' bytes.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gladius/models/gguf/header.h"
#include "gladius/tensor/base/mapped_file.h"

namespace gladius::gguf {

/// Whether the path is that of a GGUF file: a file called *.gguf, or one that begins as they do.
bool is_gguf(const std::filesystem::path& path);

/// A mapped file with its header. Copies share it. Const methods may be called from several
/// threads.
class File {
 public:
  /// IoError; the errors of parse_header, with the path.
  static File open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return mapping_->path(); }
  const Header& header() const { return *header_; }
  const std::shared_ptr<const MappedFile>& mapping() const { return mapping_; }
  std::span<const std::byte> bytes(const TensorInfo& tensor) const;
  /// By name; null if there is none.
  const TensorInfo* find_tensor(std::string_view name) const;

  // The value of a key, or nothing where the file has no such key. ConfigError naming the key for a
  // value of another kind, or a number that does not fit.
  std::optional<std::int64_t> integer(std::string_view key) const;
  /// Of an f32 the shortest decimal that means it: 1e-05, not 9.999999747378752e-06.
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  /// FormatError for what is not UTF-8.
  std::optional<std::string> text(std::string_view key) const;
  /// Null where there is no such key.
  template <class Elements>
  const Elements* array(std::string_view key) const {
    const Array* found = any_array(key);
    const auto* elements = found ? std::get_if<Elements>(found) : nullptr;
    if (found && !elements) fail(key, "is an array of elements of another type");
    return elements;
  }

  /// ConfigError "PATH: key "KEY" WHAT".
  [[noreturn]] void fail(std::string_view key, const std::string& what) const;

 private:
  File(std::shared_ptr<const MappedFile> mapping, Header header);
  const Value* find(std::string_view key) const;
  const Array* any_array(std::string_view key) const;

  std::shared_ptr<const MappedFile> mapping_;
  std::shared_ptr<const Header> header_;
};

}  // namespace gladius::gguf
