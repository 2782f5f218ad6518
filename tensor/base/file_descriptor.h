// POSIX files for the code in this folder: an owned descriptor, errors with path and reason.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

namespace gladius {

/// Closes what it holds; -1 holds nothing.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

 private:
  int fd_;
};

/// Throws IoError: "cannot <action> <path>: <reason of the error number>".
[[noreturn]] void throw_io_error(const char* action, const std::filesystem::path& path,
                                 int error = errno);

/// Whether the name is taken, also by a link that leads nowhere: opening that says why.
bool is_there(const std::filesystem::path& path);

/// Opens a regular file for reading. Throws IoError for what is not there, cannot be read, or is a
/// directory, pipe or device.
FileDescriptor open_regular_file(const std::filesystem::path& path);

/// Reads what comes next, at most `bytes`; 0 only at the end. Throws IoError.
std::size_t read_some(const FileDescriptor& file, std::span<std::byte> bytes,
                      const std::filesystem::path& path);

/// Reads the `bytes` at `offset`, fewer only where the file ends. Throws IoError.
std::size_t read_at(const FileDescriptor& file, std::uint64_t offset, std::span<std::byte> bytes,
                    const std::filesystem::path& path);

/// Bytes of the file. Throws IoError.
std::uint64_t size_of(const FileDescriptor& file, const std::filesystem::path& path);

}  // namespace gladius
