// Where the bytes of storages come from: a cache of freed blocks over the operating system's.
#pragma once

#include <cstddef>

namespace gladius {

/// Uninitialised bytes, 64-byte aligned; from 2 MiB on, aligned for huge pages.
/// Throws Error if there is no memory left.
std::byte* allocate_bytes(std::size_t bytes);
/// Takes back what allocate_bytes(bytes) gave.
void deallocate_bytes(std::byte* data, std::size_t bytes);

/// Figures of the large blocks (64 KiB and more), which are the cached ones.
struct MemoryUse {
  std::size_t live;    // bytes in use
  std::size_t cached;  // bytes kept for reuse
  std::size_t peak;    // the most of live + cached since the start
};
MemoryUse memory_use();
/// Gives all cached blocks back to the operating system.
void release_cached_memory();

}  // namespace gladius
