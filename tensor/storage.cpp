#include "gladius/tensor/storage.h"

#include <utility>

#include "gladius/tensor/allocator.h"

namespace gladius {

Storage::Storage(std::byte* data, std::size_t bytes, std::shared_ptr<const void> owner,
                 bool read_only)
    : data_(data), bytes_(bytes), owner_(std::move(owner)), read_only_(read_only) {}

Storage::~Storage() {
  if (!owner_) deallocate_bytes(data_, bytes_);
}

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes) {
  return std::shared_ptr<Storage>(new Storage(allocate_bytes(bytes), bytes, nullptr, false));
}

std::shared_ptr<Storage> Storage::borrow(std::byte* data, std::size_t bytes,
                                         std::shared_ptr<const void> owner, bool read_only) {
  // Without an owner the destructor would take the bytes for its own.
  if (!owner) owner = std::shared_ptr<const void>(data, [](const void*) {});
  return std::shared_ptr<Storage>(new Storage(data, bytes, std::move(owner), read_only));
}

}  // namespace gladius
