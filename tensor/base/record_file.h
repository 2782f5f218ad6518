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

/// A key is a SHA-256 in hexadecimal digits. The digests of a record cover each of its bytes; what
/// does not fit them is as good as not there, be it a bit that has flipped or the half of a record
/// that a killed process has left. Written by one process at a time, which holds a lock (flock);
/// others read what was there when they opened it. Nothing is synced: a record that the disk loses
/// is made again.
class RecordFile {
 public:
  /// Opens the file, or makes it, and reads where its records are. What lies behind the last whole
  /// header is cut off if this process may write. IoError.
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
