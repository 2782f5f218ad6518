#include "gladius/train/staged_directory.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <vector>

#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"

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

void StagedDirectory::commit() {
  for (const auto& entry : std::filesystem::directory_iterator(staged_)) {
    if (entry.is_regular_file()) sync_to_disk(entry.path());
  }
  sync_to_disk(staged_);
  if (::rename(staged_.c_str(), target_.c_str()) != 0) throw_io_error("create", target_);
  committed_ = true;
  sync_to_disk(target_.parent_path());
}

void remove_directory(const std::filesystem::path& directory) {
  const std::filesystem::path renamed = directory.string() + std::string(kMark);
  std::error_code error;
  std::filesystem::remove_all(renamed, error);
  if (!error) std::filesystem::rename(directory, renamed, error);
  if (!error) std::filesystem::remove_all(renamed, error);
  if (error) throw_io_error("remove", directory, error.value());
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
