#include "gladius/tensor/base/record_file.h"

#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"

namespace gladius {
namespace {

using Digits = std::array<char, 64>;

// Before the bytes of each record; numbers as the machine has them.
struct Header {
  Digits key, content;  // the key; the SHA-256 of the bytes
  std::uint64_t bytes;
  Digits check;  // SHA-256 of all of the above
};
static_assert(sizeof(Header) == 200);

Digits digits(const std::string& text) {
  Digits result{};
  std::ranges::copy_n(text.begin(), std::min(std::ssize(text), std::ssize(result)), result.begin());
  return result;
}

Digits check_of(const Header& header) {
  return digits(sha256(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, check))));
}

// Nothing where the file ends or a digit is wrong.
std::optional<Header> read_header(const FileDescriptor& file, std::uint64_t offset,
                                  const std::filesystem::path& path) {
  Header header;
  const auto bytes = std::as_writable_bytes(std::span(&header, 1));
  if (read_at(file, offset, bytes, path) < bytes.size()) return {};
  return header.check == check_of(header) ? std::optional(header) : std::nullopt;
}

bool try_lock(const FileDescriptor& file, const std::filesystem::path& path) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) throw_io_error("lock", path);
  return false;
}

}  // namespace

RecordFile::RecordFile(std::filesystem::path path)
    : path_(std::move(path)),
      file_(path_),
      reader_(open_regular_file(path_)),
      writable_(try_lock(reader_, path_)),
      size_(0) {
  read_headers();
  if (writable_ && size_ < file_.size()) file_.cut(size_);
}

void RecordFile::read_headers() {
  const std::uint64_t end = file_.size();
  while (const auto header = read_header(reader_, size_, path_)) {
    const std::uint64_t left = end - std::min(end, size_ + sizeof(Header));
    if (header->bytes > left) return;
    offsets_[std::string(header->key.begin(), header->key.end())] = size_;
    size_ += record_bytes(header->bytes);
  }
}

std::uint64_t RecordFile::record_bytes(std::size_t bytes) { return sizeof(Header) + bytes; }

bool RecordFile::read(const std::string& key, std::span<std::byte> bytes) {
  const auto known = offsets_.find(key);
  if (known == offsets_.end()) return false;
  const std::uint64_t offset = known->second;
  const auto header = read_header(reader_, offset, path_);
  const bool whole = header && header->key == digits(key) && header->bytes == bytes.size() &&
                     read_at(reader_, offset + sizeof(Header), bytes, path_) == bytes.size() &&
                     header->content == digits(sha256(bytes));
  if (!whole) offsets_.erase(known);
  return whole;
}

void RecordFile::append(const std::string& key, std::span<const std::byte> bytes) {
  Header header{
      .key = digits(key), .content = digits(sha256(bytes)), .bytes = bytes.size(), .check = {}};
  header.check = check_of(header);
  const auto text = [](std::span<const std::byte> raw) {
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  };
  file_.append(text(std::as_bytes(std::span(&header, 1))));
  file_.append(text(bytes));
  offsets_[key] = size_;
  size_ += record_bytes(bytes.size());
}

}  // namespace gladius
