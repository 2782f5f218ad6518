// A file's bytes in memory without reading them: mmap.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace gladius {

/// A whole regular file, mapped read-only; whoever views its bytes keeps the shared_ptr.
/// The file must not be shortened while it is mapped (replacing it by renaming is fine).
/// Const methods may be called from several threads.
class MappedFile {
 public:
  /// Throws IoError, with the path and the reason, for a file that cannot be opened or mapped and
  /// for directories, pipes and devices. An empty file has empty bytes().
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// The contents; page-aligned.
  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }
  /// Takes what was read of the file out of this process's memory, as if it had just been opened;
  /// bytes() stay valid. For whoever has copied what it needs.
  void forget() const;

 private:
  MappedFile(std::filesystem::path path, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace gladius
