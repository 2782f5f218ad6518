// Working memory of kernels that cut their operands into blocks.
#pragma once

#include <cstddef>
#include <memory>

#include "gladius/tensor/storage.h"

namespace gladius::kernels {

/// At least `size` uninitialised elements, 64-byte aligned, that belong to the calling thread and
/// stay allocated between calls. The next call with the same `Owner` and `T` on this thread takes
/// them over.
template <class Owner, class T>
T* thread_scratch(std::size_t size) {
  thread_local std::shared_ptr<Storage> memory;
  if (!memory || memory->size() < size * sizeof(T)) {
    memory.reset();
    memory = Storage::allocate(size * sizeof(T));
  }
  return reinterpret_cast<T*>(memory->data());
}

}  // namespace gladius::kernels
