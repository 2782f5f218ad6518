#include "gladius/tensor/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "gladius/tensor/base/error.h"

namespace gladius {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kLargestWrite = std::size_t{1} << 30;  // Linux ends a write at 2 GiB

// Held open, so that the same directory is meant at commit even if the process changes its own.
FileDescriptor open_directory_of(const std::filesystem::path& target) {
  const std::filesystem::path parent = target.parent_path();
  const std::filesystem::path directory = parent.empty() ? "." : parent;
  FileDescriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0) throw_io_error("open the directory of", target);
  return opened;
}

void require_replaceable(const FileDescriptor& directory, const std::filesystem::path& target) {
  struct stat status {};
  if (::fstatat(directory.get(), target.filename().c_str(), &status, 0) != 0) return;  // not there
  if (S_ISDIR(status.st_mode)) throw_io_error("write", target, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw IoError(fmt::format("cannot write {}: not a regular file", target.string()));
  }
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target)
    : target_(std::move(target)),
      directory_(open_directory_of(target_)),
      temporary_(create_beside(target_, directory_)) {}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlinkat(directory_.get(), temporary_.name.c_str(), 0);
}

AtomicFile::Temporary AtomicFile::create_beside(const std::filesystem::path& target,
                                                const FileDescriptor& directory) {
  require_replaceable(directory, target);
  // Numbers, as another writer in this process may have the same target.
  for (int number = 0;; ++number) {
    std::string name = fmt::format("{}.tmp-{}-{}", target.filename().string(), ::getpid(), number);
    FileDescriptor file(
        ::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.get() >= 0) return {std::move(name), std::move(file)};
    if (errno != EEXIST) throw_io_error("create a temporary file beside", target);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) {
    write_through(bytes);
  } else {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void AtomicFile::commit() {
  flush();
  if (::fsync(temporary_.file.get()) != 0) throw_io_error("write to disk", target_);
  if (::renameat(directory_.get(), temporary_.name.c_str(), directory_.get(),
                 target_.filename().c_str()) != 0) {
    throw_io_error("replace", target_);
  }
  committed_ = true;
  // EINVAL: a filesystem whose directories cannot be synced, and need not be.
  if (::fsync(directory_.get()) != 0 && errno != EINVAL) {
    throw_io_error("write to disk the directory of", target_);
  }
}

void AtomicFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::write(temporary_.file.get(), bytes.data(), std::min(bytes.size(), kLargestWrite));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_io_error("write", target_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::flush() {
  write_through(std::as_bytes(std::span(buffer_)));
  buffer_.clear();
}

}  // namespace gladius
