#include "gladius/tensor/allocator.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>

#include "gladius/tensor/error.h"

namespace gladius {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmall = std::size_t{64} << 10;  // below: the C++ runtime is fast enough
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSlack = std::size_t{128} << 20;  // may always stay cached

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaching = false;  // so that use after free is seen
#else
constexpr bool kCaching = true;
#endif

[[noreturn]] void out_of_memory(std::size_t bytes) {
  throw Error(fmt::format("out of memory: {} bytes were asked for", bytes));
}

// Rounds up to an eighth of the power of two below: few distinct sizes, at most 1/8 unused.
std::size_t block_size(std::size_t bytes) {
  const std::size_t step = std::bit_floor(bytes) / 8;
  const std::size_t size = (bytes + step - 1) / step * step;
  if (size < bytes || size > SIZE_MAX / 2) out_of_memory(bytes);
  return size;
}

std::byte* new_block(std::size_t size) {
  if (size < kHugePage) {
    return static_cast<std::byte*>(
        ::operator new (size, std::align_val_t{kAlignment}, std::nothrow));
  }
  // Mapped, so that freeing returns it; with a page to spare, of which the ends are cut off.
  void* mapped =
      ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::byte*>(mapped);
  const std::size_t lead =
      (kHugePage - reinterpret_cast<std::uintptr_t>(start) % kHugePage) % kHugePage;
  if (lead > 0) ::munmap(start, lead);
  if (lead < kHugePage) ::munmap(start + lead + size, kHugePage - lead);
#ifdef MADV_HUGEPAGE
  ::madvise(start + lead, size, MADV_HUGEPAGE);
#endif
  return start + lead;
}

void delete_block(std::byte* data, std::size_t size) {
  if (size < kHugePage) {
    ::operator delete (data, std::align_val_t{kAlignment});
  } else {
    ::munmap(data, size);
  }
}

// Freed blocks by size. A block serves a request of up to a quarter less, so that a training
// run over sequences of many lengths does not pile up a block for each.
class BlockCache {
 public:
  std::byte* take(std::size_t wanted, std::size_t& size) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.lower_bound(wanted);
    if (found == blocks_.end() || found->first > wanted + wanted / 4) return nullptr;
    size = found->first;
    std::byte* data = found->second.data;
    cached_ -= size;
    count_live(data, size);
    blocks_.erase(found);
    return data;
  }

  void added(std::byte* data, std::size_t size) {
    const std::lock_guard lock(mutex_);
    count_live(data, size);
    peak_ = std::max(peak_, live_ + cached_);
  }

  void give(std::byte* data) {
    const std::lock_guard lock(mutex_);
    const auto entry = sizes_.find(data);
    const std::size_t size = entry->second;
    sizes_.erase(entry);
    live_ -= size;
    if (!kCaching) return delete_block(data, size);
    cached_ += size;
    blocks_.emplace(size, Block{data, ++clock_});
  }

  // Before `size` new bytes: deletes the blocks longest unused, unless all together stay below the
  // most that was ever live. A training step frees its gradients and asks for them again, and would
  // otherwise pay for fresh pages every time.
  void make_room(std::size_t size) {
    const std::lock_guard lock(mutex_);
    const std::size_t needed = live_ + size;
    trim_locked(std::max(kSlack, peak_live_ > needed ? peak_live_ - needed : 0));
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    trim_locked(0);
  }

  MemoryUse use() {
    const std::lock_guard lock(mutex_);
    return {live_, cached_, peak_};
  }

 private:
  struct Block {
    std::byte* data;
    std::uint64_t freed;  // when, by clock_
  };

  void count_live(std::byte* data, std::size_t size) {
    live_ += size;
    peak_live_ = std::max(peak_live_, live_);
    sizes_[data] = size;
  }

  // Deletes the blocks longest unused until at most `limit` bytes are cached.
  void trim_locked(std::size_t limit) {
    while (cached_ > limit) {
      const auto oldest = std::min_element(blocks_.begin(), blocks_.end(), [](auto& a, auto& b) {
        return a.second.freed < b.second.freed;
      });
      delete_block(oldest->second.data, oldest->first);
      cached_ -= oldest->first;
      blocks_.erase(oldest);
    }
  }

  std::mutex mutex_;
  std::multimap<std::size_t, Block> blocks_;
  std::map<std::byte*, std::size_t>
      sizes_;  // of the live blocks: a reused one may be larger than asked
  std::size_t live_ = 0;
  std::size_t cached_ = 0;
  std::size_t peak_ = 0;
  std::size_t peak_live_ = 0;
  std::uint64_t clock_ = 0;
};

// Never destroyed: tensors with static storage duration may outlive any other static.
BlockCache& cache() {
  static auto* const instance = new BlockCache;
  return *instance;
}

}  // namespace

std::byte* allocate_bytes(std::size_t bytes) {
  if (bytes < kSmall) {
    void* data = ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow);
    if (!data) out_of_memory(bytes);
    return static_cast<std::byte*>(data);
  }
  std::size_t size = block_size(bytes);
  if (std::byte* data = cache().take(size, size)) return data;
  cache().make_room(size);
  std::byte* data = new_block(size);
  if (!data) {
    release_cached_memory();
    data = new_block(size);
  }
  if (!data) out_of_memory(bytes);
  cache().added(data, size);
  return data;
}

void deallocate_bytes(std::byte* data, std::size_t bytes) {
  if (bytes < kSmall) {
    ::operator delete (data, std::align_val_t{kAlignment});
  } else {
    cache().give(data);
  }
}

MemoryUse memory_use() { return cache().use(); }

void release_cached_memory() { cache().clear(); }

}  // namespace gladius
