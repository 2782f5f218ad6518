#include "gladius/tensor/storage.h"

#include <new>
#include <utility>

namespace gladius {
namespace {
constexpr std::align_val_t kAlignment{64};
}

Storage::Storage(std::byte* data, std::size_t bytes, std::shared_ptr<const void> owner,
                 bool read_only)
    : data_(data), bytes_(bytes), owner_(std::move(owner)), read_only_(read_only) {}

Storage::~Storage() {
  if (!owner_) ::operator delete(data_, kAlignment);
}

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes) {
  auto* data = static_cast<std::byte*>(::operator new(bytes, kAlignment));
  return std::shared_ptr<Storage>(new Storage(data, bytes, nullptr, false));
}

std::shared_ptr<Storage> Storage::borrow(std::byte* data, std::size_t bytes,
                                         std::shared_ptr<const void> owner, bool read_only) {
  return std::shared_ptr<Storage>(new Storage(data, bytes, std::move(owner), read_only));
}

}  // namespace gladius
