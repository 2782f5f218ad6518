#include "gladius/train/staged_directory.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>

#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"

namespace gladius {
namespace {

constexpr std::string_view kMark = ".staged";

void sync(const std::filesystem::path& path) {
  const FileDescriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.get() < 0) throw_io_error("open", path);
  // EINVAL: a filesystem whose directories cannot be synced, and need not be.
  if (::fsync(opened.get()) != 0 && errno != EINVAL) throw_io_error("write to disk", path);
}

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

void StagedDirectory::commit() {
  for (const auto& entry : std::filesystem::directory_iterator(staged_)) {
    if (entry.is_regular_file()) sync(entry.path());
  }
  sync(staged_);
  if (::rename(staged_.c_str(), target_.c_str()) != 0) throw_io_error("create", target_);
  committed_ = true;
  sync(target_.parent_path());
}

void remove_directory(const std::filesystem::path& directory) {
  const std::filesystem::path renamed = directory.string() + std::string(kMark);
  std::error_code error;
  std::filesystem::remove_all(renamed, error);
  if (!error) std::filesystem::rename(directory, renamed, error);
  if (!error) std::filesystem::remove_all(renamed, error);
  if (error) throw_io_error("remove", directory, error.value());
}

void remove_staged(const std::filesystem::path& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    if (entry.path().filename().string().ends_with(kMark)) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }
}

}  // namespace gladius
