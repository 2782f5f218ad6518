#include "gladius/tensor/base/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {
namespace {

std::span<const std::byte> map(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io_error("examine", path);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};  // mmap refuses a length of 0
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (start == MAP_FAILED) throw_io_error("map", path);
  return {static_cast<const std::byte*>(start), size};
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path, std::span<const std::byte> bytes)
    : path_(std::move(path)), bytes_(bytes) {}

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const FileDescriptor file = open_regular_file(path);
  return std::shared_ptr<const MappedFile>(new MappedFile(path, map(file, path)));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::forget() const {
  if (bytes_.empty()) return;
  // Without success the pages stay, which harms nothing.
  static_cast<void>(::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED));
}

}  // namespace gladius
