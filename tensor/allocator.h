// Where the bytes of storages come from: freed memory, kept for reuse, over the operating system's.
#pragma once

#include <cstddef>

namespace gladius {

/// Uninitialised bytes, 64-byte aligned; large blocks lie in huge pages.
/// Throws Error if there is no memory left.
std::byte* allocate_bytes(std::size_t bytes);
/// Takes back what allocate_bytes(bytes) gave.
void deallocate_bytes(std::byte* data, std::size_t bytes);

/// Figures of the large blocks (64 KiB and more), whose memory is kept.
struct MemoryUse {
  std::size_t live;    // bytes in use
  std::size_t cached;  // bytes kept for reuse
  std::size_t peak;    // the most of live + cached since the start
  std::size_t mapped;  // bytes that the operating system was asked for since the start
};
MemoryUse memory_use();
/// Gives what is cached back to the operating system, but for pages that are partly in use.
void release_cached_memory();

}  // namespace gladius
