// One process at a time in a directory.
#pragma once

#include <filesystem>
#include <string>

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius::train {

/// Holds DIRECTORY/lock (flock), a file with this process's number. A file that an ended process
/// has left locks nothing.
class DirectoryLock {
 public:
  static constexpr const char* kName = "lock";

  /// Whether a process holds it. (A process that begins at that very moment is refused, so this is
  /// not for asking again and again.)
  static bool is_held(const std::filesystem::path& directory);
  /// IoError, with the other process's number, where one holds it.
  explicit DirectoryLock(const std::filesystem::path& directory);
  DirectoryLock(DirectoryLock&&) = default;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  /// Puts back what was in the file, unless keep() was called.
  ~DirectoryLock();

  /// From here on the directory is this process's to change.
  void keep() { keep_ = true; }

 private:
  FileDescriptor file_;
  std::string before_;
  bool keep_ = false;
};

}  // namespace gladius::train
