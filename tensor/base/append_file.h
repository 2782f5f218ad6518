// A file that grows line by line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {

/// Appends to a file, which is made if it is not there (and then is on disk in its directory).
/// Every function throws IoError. For one thread at a time.
class AppendFile {
 public:
  explicit AppendFile(std::filesystem::path path);

  std::uint64_t size() const;
  /// Drops what lies behind the first `size` bytes.
  void cut(std::uint64_t size);
  /// The text is with the operating system when this returns.
  void append(std::string_view text);
  /// Everything to disk.
  void sync();

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
};

/// Where a file has another name too (cp -l), it may be another run's as well: this name gets a
/// copy. IoError.
void own_file(const std::filesystem::path& path);

}  // namespace gladius
