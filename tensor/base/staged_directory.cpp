#include "gladius/tensor/base/staged_directory.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {
namespace {

constexpr std::string_view kMark = ".staged";
constexpr std::string_view kTemporaryMark = ".tmp-";

}  // namespace

StagedDirectory::StagedDirectory(std::filesystem::path target)
    : target_(std::move(target)), staged_(target_.string() + std::string(kMark)) {
  std::error_code error;
  std::filesystem::remove_all(staged_, error);
  if (!error) std::filesystem::create_directories(staged_, error);
  if (error) throw_io_error("create the directory", staged_, error.value());
}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove_all(staged_, ignored);
}

void StagedDirectory::sync() const {
  for (const auto& entry : std::filesystem::directory_iterator(staged_)) {
    if (entry.is_regular_file()) sync_to_disk(entry.path());
  }
  sync_to_disk(staged_);
}

void StagedDirectory::commit() {
  sync();
  if (::rename(staged_.c_str(), target_.c_str()) != 0) throw_io_error("create", target_);
  committed_ = true;
  sync_to_disk(target_.parent_path());
}

// Leaves the old directory under the staged name.
void StagedDirectory::exchange() const {
  if (::renameat2(AT_FDCWD, staged_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) throw_io_error("replace", target_);
  const std::filesystem::path old = target_.string() + ".old" + std::string(kMark);
  std::error_code ignored;
  std::filesystem::remove_all(old, ignored);
  if (::rename(target_.c_str(), old.c_str()) != 0 ||
      ::rename(staged_.c_str(), target_.c_str()) != 0 ||
      ::rename(old.c_str(), staged_.c_str()) != 0) {
    throw_io_error("replace", target_);
  }
}

void StagedDirectory::replace() {
  if (!is_there(target_)) return commit();
  sync();
  exchange();
  sync_to_disk(target_.parent_path());
  committed_ = true;
  std::error_code left_over;  // and removed when the run goes on
  std::filesystem::remove_all(staged_, left_over);
}

void remove_directory(const std::filesystem::path& directory) {
  // Another name than that of one that is being filled to take its place.
  const std::filesystem::path renamed = directory.string() + ".removed" + std::string(kMark);
  std::error_code error;
  std::filesystem::remove_all(renamed, error);
  if (!error) std::filesystem::rename(directory, renamed, error);
  if (!error) std::filesystem::remove_all(renamed, error);
  if (error) throw_io_error("remove", directory, error.value());
}

void remove_file(const std::filesystem::path& file) {
  std::error_code error;
  std::filesystem::remove(file, error);
  if (error) throw_io_error("remove", file, error.value());
}

bool is_leftover(const std::filesystem::path& name) {
  const std::string text = name.filename().string();
  return text.ends_with(kMark) || text.find(kTemporaryMark) != std::string::npos;
}

void remove_leftovers(const std::filesystem::path& parent) {
  std::vector<std::filesystem::path> leftovers;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    if (is_leftover(entry.path())) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) std::filesystem::remove_all(path, ignored);
}

void sync_to_disk(const std::filesystem::path& path) {
  const FileDescriptor opened(::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.get() < 0) throw_io_error("open", path);
  // EINVAL: a filesystem whose directories cannot be synced, and need not be.
  if (::fsync(opened.get()) != 0 && errno != EINVAL) throw_io_error("write to disk", path);
}

}  // namespace gladius
