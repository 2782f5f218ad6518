#include "gladius/train/run/directory_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <string_view>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

std::string content(const FileDescriptor& file) {
  char text[64] = {};
  const ssize_t size = ::pread(file.get(), text, sizeof text, 0);
  return {text, size > 0 ? static_cast<std::size_t>(size) : 0};
}

bool replace(const FileDescriptor& file, std::string_view text) {
  return ::ftruncate(file.get(), 0) == 0 &&
         ::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

FileDescriptor open_lock(const fs::path& path) {
  // What a link leads to is somebody else's file, which would be written over.
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) throw_io_error("open", path);
  return file;
}

[[noreturn]] void fail_locked(const fs::path& directory, const std::string& held) {
  const std::string pid = held.substr(0, held.find_first_not_of("0123456789"));
  throw IoError(fmt::format(
      "{}: another process{} is running in this directory; wait for it, or use another --out",
      directory.string(), pid.empty() ? "" : fmt::format(" (pid {})", pid)));
}

}  // namespace

bool DirectoryLock::is_held(const fs::path& directory) {
  const fs::path path = directory / kName;
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

DirectoryLock::DirectoryLock(const fs::path& directory) : file_(open_lock(directory / kName)) {
  const fs::path path = directory / kName;
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    keep_ = true;  // it is the other process's
    if (errno != EWOULDBLOCK) throw_io_error("lock", path);
    fail_locked(directory, content(file_));
  }
  before_ = content(file_);
  if (!replace(file_, fmt::format("{}\n", ::getpid()))) throw_io_error("write", path);
}

DirectoryLock::~DirectoryLock() {
  if (!keep_ && file_.get() >= 0) replace(file_, before_);
}

}  // namespace gladius::train
