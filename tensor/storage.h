// Reference-counted bytes that tensors view.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace gladius {

/// A block of bytes, owned (64-byte aligned) or borrowed from something
/// that is kept alive (a memory-mapped file). Its version counts the in-place updates.
class Storage {
 public:
  /// Uninitialised, 64-byte aligned bytes.
  static std::shared_ptr<Storage> allocate(std::size_t bytes);
  /// Bytes that `owner` keeps alive. A read-only storage refuses in-place updates.
  static std::shared_ptr<Storage> borrow(std::byte* data, std::size_t bytes,
                                         std::shared_ptr<const void> owner, bool read_only);

  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();

  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }
  bool read_only() const { return read_only_; }
  std::uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Storage(std::byte* data, std::size_t bytes, std::shared_ptr<const void> owner, bool read_only);

  std::byte* data_;
  std::size_t bytes_;
  std::shared_ptr<const void> owner_;  // null: the bytes are this storage's own
  bool read_only_;
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace gladius
