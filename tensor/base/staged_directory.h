// Directories that appear whole or not at all.
#pragma once

#include <filesystem>

namespace gladius {

/// A directory to fill beside `target`, which takes the target's name on commit(). Without a
/// commit the destructor removes it.
class StagedDirectory {
 public:
  /// IoError if it cannot be made.
  explicit StagedDirectory(std::filesystem::path target);
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;
  ~StagedDirectory();

  /// Where to write.
  const std::filesystem::path& path() const { return staged_; }
  /// Its files to disk, then under the target's name (which must be free), then the parent to disk.
  /// IoError. The last call on this object.
  void commit();
  /// The same where the target may be there already: the new directory takes its place in one
  /// rename, then the old one is removed. (Where the file system cannot exchange two names, there
  /// is a moment without either.)
  void replace();

 private:
  void sync() const;
  void exchange() const;

  std::filesystem::path target_, staged_;
  bool committed_ = false;
};

/// Removes a directory with all it holds, so that a half-removed one is never seen under its name.
void remove_directory(const std::filesystem::path& directory);

/// Removes a file where there is one. IoError.
void remove_file(const std::filesystem::path& file);

/// Removes what processes that were killed have left in `parent`: staged directories and temporary
/// files (atomic_file.h). Only while no other process writes there.
void remove_leftovers(const std::filesystem::path& parent);
/// Whether a name is that of such a temporary file.
bool is_leftover(const std::filesystem::path& name);

/// What is known of a file or directory to disk. IoError.
void sync_to_disk(const std::filesystem::path& path);

}  // namespace gladius
