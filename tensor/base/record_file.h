// Records by key in a file that only grows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>

#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {

/// A key is a SHA-256 in hexadecimal digits. The digests of a record cover each of its bytes; a
/// damaged record (a flipped bit) or a cut one (its writer was killed) is ignored. One process at a
/// time writes and holds a lock (flock); others read what was there when they opened the file.
/// Nothing is synced: a record that the disk loses is made again. For one thread at a time.
class RecordFile {
 public:
  /// Opens or makes the file and reads where its records are. If this process may write, it cuts
  /// off what lies behind the last whole header. IoError.
  explicit RecordFile(std::filesystem::path path);

  /// Whether no other process writes to it.
  bool writable() const { return writable_; }
  std::uint64_t size() const { return size_; }
  /// What a record of so many bytes adds to the size.
  static std::uint64_t record_bytes(std::size_t bytes);

  /// Reads a record into `bytes`; false if there is none of this key and size, or if it is damaged
  /// (and then forgotten). IoError.
  bool read(const std::string& key, std::span<std::byte> bytes);
  /// Adds a record, which takes the place of an older one. IoError, after which the file should not
  /// be written to.
  void append(const std::string& key, std::span<const std::byte> bytes);

 private:
  void read_headers();

  std::filesystem::path path_;
  AppendFile file_;
  FileDescriptor reader_;
  bool writable_;
  std::uint64_t size_;                                      // of whole records
  std::unordered_map<std::string, std::uint64_t> offsets_;  // of the newest record of each key
};

}  // namespace gladius
