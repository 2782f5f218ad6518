#include "gladius/tensor/allocator.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <utility>

#include "gladius/tensor/base/error.h"

namespace gladius {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kUnit = std::size_t{4} << 10;    // of the sizes of large blocks
constexpr std::size_t kSmall = std::size_t{64} << 10;  // below: blocks of the C++ runtime
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

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  if (bytes > SIZE_MAX / 2) out_of_memory(bytes);
  return (bytes + unit - 1) / unit * unit;
}

std::byte* new_bytes(std::size_t bytes) {
  return static_cast<std::byte*>(
      ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow));
}

void delete_bytes(std::byte* data) { ::operator delete (data, std::align_val_t{kAlignment}); }

// Whole huge pages, or null.
std::byte* map_pages(std::size_t size) {
  // With a page to spare, of which the ends are cut off.
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

// Small blocks that a thread has given back, a few of each size, for its next ones. Where a token
// takes milliseconds, the C++ runtime's aligned blocks would be a twentieth of that.
class SmallBlocks {
 public:
  // Null after the end of the thread's own objects.
  static SmallBlocks* of_this_thread() {
    thread_local bool gone = false;  // has no destructor, so it outlives this:
    thread_local struct Owner {
      SmallBlocks blocks;
      ~Owner() { gone = true; }
    } owner;
    return gone ? nullptr : &owner.blocks;
  }
  ~SmallBlocks() {
    for (Kept& kept : kept_) kept.clear();
  }

  // Null if none is kept.
  std::byte* take(std::size_t size) {
    Kept& kept = kept_of(size);
    if (kept.size != size || kept.count == 0) return nullptr;
    return kept.blocks[--kept.count];
  }
  // Sizes that share a place drive each other out.
  void give(std::byte* data, std::size_t size) {
    Kept& kept = kept_of(size);
    if (kept.size != size) kept.clear();
    if (kept.count == kMost) return delete_bytes(data);
    kept.size = size;
    kept.blocks[kept.count++] = data;
  }

 private:
  static constexpr std::size_t kMost = 4, kPlaces = 64;

  struct Kept {
    void clear() {
      while (count > 0) delete_bytes(blocks[--count]);
    }
    std::size_t size = 0, count = 0;
    std::array<std::byte*, kMost> blocks = {};
  };
  Kept& kept_of(std::size_t size) { return kept_[size / kAlignment % kPlaces]; }

  std::array<Kept, kPlaces> kept_;
};

std::byte* allocate_small(std::size_t size) {
  SmallBlocks* blocks = kCaching ? SmallBlocks::of_this_thread() : nullptr;
  std::byte* data = blocks ? blocks->take(size) : nullptr;
  return data ? data : new_bytes(size);
}

void deallocate_small(std::byte* data, std::size_t size) {
  SmallBlocks* blocks = kCaching ? SmallBlocks::of_this_thread() : nullptr;
  blocks ? blocks->give(data, size) : delete_bytes(data);
}

struct Range {
  std::byte* data = nullptr;
  std::size_t size = 0;
};

// Free memory, neighbouring ranges joined.
class FreeRanges {
 public:
  std::size_t bytes() const { return bytes_; }

  // Cuts `size` bytes off the smallest range that has them, or gives null.
  std::byte* take(std::size_t size) {
    const auto found = by_size_.lower_bound({size, nullptr});
    if (found == by_size_.end()) return nullptr;
    const Range range{found->second, found->first};
    erase(range);
    if (range.size > size) insert({range.data + size, range.size - size});
    return range.data;
  }

  void give(Range range) {
    auto next = by_address_.lower_bound(range.data);
    if (next != by_address_.begin()) {
      if (const auto [data, size] = *std::prev(next); data + size == range.data) {
        erase({data, size});
        range = {data, size + range.size};
      }
    }
    if (next != by_address_.end() && range.data + range.size == next->first) {
      const Range neighbour{next->first, next->second};
      erase(neighbour);
      range.size += neighbour.size;
    }
    insert(range);
  }

  // Takes up to `wanted` bytes, whole huge pages, out of one range: the end of the largest that has
  // any. Nothing if none has.
  Range take_pages(std::size_t wanted) {
    for (auto at = by_size_.rbegin(); at != by_size_.rend() && at->first >= kHugePage; ++at) {
      const Range range{at->second, at->first};
      const auto begin = reinterpret_cast<std::uintptr_t>(range.data);
      const std::size_t lead = (kHugePage - begin % kHugePage) % kHugePage;
      if (range.size < lead + kHugePage) continue;
      const std::size_t pages = (range.size - lead) / kHugePage * kHugePage;
      const std::size_t size = std::min(pages, round_up(wanted, kHugePage));
      const std::size_t before = lead + pages - size;
      erase(range);
      if (before > 0) insert({range.data, before});
      if (const std::size_t used = before + size; used < range.size) {
        insert({range.data + used, range.size - used});
      }
      return {range.data + before, size};
    }
    return {};
  }

 private:
  void insert(const Range& range) {
    by_address_.emplace(range.data, range.size);
    by_size_.emplace(range.size, range.data);
    bytes_ += range.size;
  }
  void erase(const Range& range) {
    by_address_.erase(range.data);
    by_size_.erase({range.size, range.data});
    bytes_ -= range.size;
  }

  std::map<std::byte*, std::size_t> by_address_;
  std::set<std::pair<std::size_t, std::byte*>> by_size_;
  std::size_t bytes_ = 0;
};

// Large blocks. They are cut from what is free, wherever it came from: the gradients of a training
// step take the place of its activations, and the next step's activations theirs, without a new
// page.
class Pool {
 public:
  // Null if there is no memory.
  std::byte* allocate(std::size_t size) {
    const std::lock_guard lock(mutex_);
    std::byte* data = kCaching ? take(size) : new_bytes(size);
    if (!data) return nullptr;
    live_ += size;
    peak_live_ = std::max(peak_live_, live_);
    peak_ = std::max(peak_, live_ + free_.bytes());
    return data;
  }

  void deallocate(std::byte* data, std::size_t size) {
    const std::lock_guard lock(mutex_);
    live_ -= size;
    if (!kCaching) return delete_bytes(data);
    free_.give({data, size});
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    trim(0);
  }

  MemoryUse use() {
    const std::lock_guard lock(mutex_);
    return {live_, free_.bytes(), peak_, mapped_};
  }

 private:
  std::byte* take(std::size_t size) {
    if (std::byte* data = free_.take(size)) return data;
    // What is free is too small. It stays as long as all together is below the most that was ever
    // live, with some slack for such ranges.
    const std::size_t needed = live_ + size;
    trim(std::max(kSlack, peak_live_ > needed ? peak_live_ - needed : 0));
    const std::size_t pages = round_up(size, kHugePage);
    std::byte* data = map_pages(pages);
    if (!data) {
      trim(0);
      data = map_pages(pages);
    }
    if (!data) return nullptr;
    mapped_ += pages;
    free_.give({data, pages});
    return free_.take(size);
  }

  // Unmaps free pages until at most `limit` bytes are cached, or none is free as a whole.
  void trim(std::size_t limit) {
    while (free_.bytes() > limit) {
      const Range pages = free_.take_pages(free_.bytes() - limit);
      if (pages.size == 0) return;
      ::munmap(pages.data, pages.size);
    }
  }

  std::mutex mutex_;
  FreeRanges free_;
  std::size_t live_ = 0;
  std::size_t peak_ = 0;
  std::size_t peak_live_ = 0;
  std::size_t mapped_ = 0;
};

// Never destroyed: tensors with static storage duration may outlive any other static.
Pool& pool() {
  static auto* const instance = new Pool;
  return *instance;
}

}  // namespace

std::byte* allocate_bytes(std::size_t bytes) {
  std::byte* data = bytes < kSmall ? allocate_small(round_up(bytes, kAlignment))
                                   : pool().allocate(round_up(bytes, kUnit));
  if (!data) out_of_memory(bytes);
  return data;
}

void deallocate_bytes(std::byte* data, std::size_t bytes) {
  if (bytes < kSmall) {
    deallocate_small(data, round_up(bytes, kAlignment));
  } else {
    pool().deallocate(data, round_up(bytes, kUnit));
  }
}

MemoryUse memory_use() { return pool().use(); }

void release_cached_memory() { pool().clear(); }

}  // namespace gladius
