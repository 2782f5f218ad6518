// Working memory of kernels that cut their operands into blocks.
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstddef>

namespace gladius::kernels {

/// At least `size` uninitialised elements, aligned for SIMD, that belong to the calling thread and
/// stay allocated between calls. The next call with the same `Owner` and `T` on this thread takes
/// them over.
template <class Owner, class T>
T* thread_scratch(std::size_t size) {
  thread_local hwy::AlignedFreeUniquePtr<T[]> memory;
  thread_local std::size_t capacity = 0;
  if (capacity < size) {
    memory = hwy::AllocateAligned<T>(size);
    capacity = size;
  }
  return memory.get();
}

}  // namespace gladius::kernels
