#include "gladius/tensor/base/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius {
namespace {

FileDescriptor open_for_appending(const std::filesystem::path& path) {
  const bool is_new = !std::filesystem::exists(path);
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (file.get() < 0) throw_io_error("open", path);
  if (is_new) sync_to_disk(path.parent_path());
  return file;
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path)
    : path_(std::move(path)), file_(open_for_appending(path_)) {}

std::uint64_t AppendFile::size() const {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw_io_error("read the size of", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

void AppendFile::cut(std::uint64_t size) {
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) throw_io_error("cut", path_);
}

void AppendFile::append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_io_error("write", path_);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AppendFile::sync() {
  if (::fsync(file_.get()) != 0) throw_io_error("write to disk", path_);
}

void own_file(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path) || std::filesystem::hard_link_count(path) == 1) return;
  write_text_file(path, read_text_file(path));
}

}  // namespace gladius
