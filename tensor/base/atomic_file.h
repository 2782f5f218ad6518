// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {

/// Writes beside `target` under a name of its own (`target.tmp-<process>-<number>`) and takes the
/// target's place on commit(). Until then, and after any failure, an older file stays as it was;
/// without a commit the destructor removes what was written. The new file's mode follows the umask.
class AtomicFile {
 public:
  /// Creates the temporary file. Throws IoError if that fails or if `target` is there and is not a
  /// regular file (renaming over a device or a directory is never what was meant).
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Appends; buffered. Throws IoError with the path and the reason.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Everything to disk (fsync), then under the target's name (rename), then the directory to disk.
  /// Throws IoError with the path and the reason. The last call on this object.
  void commit();

 private:
  struct Temporary {
    std::string name;
    FileDescriptor file;
  };

  static Temporary create_beside(const std::filesystem::path& target,
                                 const FileDescriptor& directory);
  void write_through(std::span<const std::byte> bytes);
  void flush();

  std::filesystem::path target_;
  FileDescriptor directory_;
  Temporary temporary_;
  std::string buffer_;
  bool committed_ = false;
};

}  // namespace gladius
