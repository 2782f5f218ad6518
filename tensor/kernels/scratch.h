// What kernels share that cut their operands into blocks: their count, and working memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "gladius/tensor/storage.h"

namespace gladius::kernels {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// At least `size` uninitialised elements, 64-byte aligned, that belong to the calling thread and
/// stay allocated between calls. The next call with the same `Owner` and `T` on this thread reuses
/// them.
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
