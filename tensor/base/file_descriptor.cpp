#include "gladius/tensor/base/file_descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <system_error>

#include "gladius/tensor/base/error.h"

namespace gladius {

void throw_io_error(const char* action, const std::filesystem::path& path, int error) {
  throw IoError(fmt::format("cannot {} {}: {}", action, path.string(),
                            std::generic_category().message(error)));
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be examined is not said to be missing
  return std::filesystem::symlink_status(path, ignored).type() !=
         std::filesystem::file_type::not_found;
}

FileDescriptor open_regular_file(const std::filesystem::path& path) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) throw_io_error("open", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io_error("examine", path);
  if (S_ISDIR(status.st_mode)) throw_io_error("read", path, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw IoError(fmt::format("cannot read {}: not a regular file", path.string()));
  }
  return file;
}

std::size_t read_some(const FileDescriptor& file, std::span<std::byte> bytes,
                      const std::filesystem::path& path) {
  for (;;) {
    const ssize_t count = ::read(file.get(), bytes.data(), bytes.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_io_error("read", path);
  }
}

std::size_t read_at(const FileDescriptor& file, std::uint64_t offset, std::span<std::byte> bytes,
                    const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pread(file.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count == 0) break;
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      throw_io_error("read", path);
    }
  }
  return done;
}

std::uint64_t size_of(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io_error("examine", path);
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace gladius
