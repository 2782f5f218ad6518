#include "gladius/tensor/allocator.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/tensor.h"

namespace gladius {
namespace {

bool caching() {
  release_cached_memory();
  deallocate_bytes(allocate_bytes(1 << 20), 1 << 20);
  return memory_use().cached > 0;
}

// Live blocks are filled with a byte of their own, which would change if two overlapped.
void allocate_and_free_at_random(unsigned seed) {
  std::mt19937 gen(seed);
  struct Block {
    std::byte* data;
    std::size_t bytes;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  const auto check_and_free = [](const Block& block) {
    for (std::size_t i = 0; i < block.bytes; i += 997) {
      ASSERT_EQ(static_cast<unsigned char>(block.data[i]), block.mark);
    }
    deallocate_bytes(block.data, block.bytes);
  };
  for (int i = 0; i < 400; ++i) {
    if (blocks.size() < 12 && gen() % 3 != 0) {
      const std::size_t bytes = gen() % (std::size_t{1} << (gen() % 23));
      Block block{allocate_bytes(bytes), bytes, static_cast<unsigned char>(gen())};
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.data) % 64, 0u);
      std::memset(block.data, block.mark, bytes);
      blocks.push_back(block);
    } else if (!blocks.empty()) {
      std::swap(blocks[gen() % blocks.size()], blocks.back());
      check_and_free(blocks.back());
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) check_and_free(block);
}

TEST(Allocator, AThreadGetsItsSmallBlocksBack) {
  if (!caching()) GTEST_SKIP() << "nothing is cached, so that use after free is seen";
  std::thread([] {
    std::byte* const data = allocate_bytes(2304);
    deallocate_bytes(data, 2304);
    EXPECT_EQ(allocate_bytes(2250), data);  // of as many cache lines
    deallocate_bytes(data, 2250);
  }).join();
}

TEST(Allocator, SmallBlocksMayOutliveAThreadsOwnObjects) {
  std::thread([] {
    struct Last {
      ~Last() { deallocate_bytes(data, 100); }
      std::byte* data = nullptr;
    };
    thread_local Last last;  // made before the thread keeps blocks, so it ends after that
    last.data = nullptr;
    std::byte* const other = allocate_bytes(100);
    last.data = allocate_bytes(100);
    deallocate_bytes(other, 100);
  }).join();
}

TEST(Allocator, BlocksNeverOverlapOnSeveralThreads) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const std::size_t live = memory_use().live;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) threads.emplace_back(allocate_and_free_at_random, seed + t);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memory_use().live, live);
  release_cached_memory();
  if (live == 0) {  // else pages that are partly in use stay
    EXPECT_EQ(memory_use().cached, 0u);
  }
}

TEST(Allocator, FreedMemoryIsCutAndJoinedForWhatComesNext) {
  if (!caching()) GTEST_SKIP() << "no caching in this build";
  release_cached_memory();
  Tensor::empty({1 << 20});
  const std::size_t mapped = memory_use().mapped;
  for (int round = 0; round < 3; ++round) {
    Tensor::empty({1 << 20});
    const Tensor half = Tensor::empty({1 << 19}), other = Tensor::empty({1 << 19});
  }
  EXPECT_EQ(memory_use().mapped, mapped);
}

// As a training step does: a layer keeps something for the backward pass, which frees it, last
// layer first, and makes gradients of other sizes that live on to the step's end.
TEST(Allocator, StepsAlikeHardlyAskForNewMemory) {
  if (!caching()) GTEST_SKIP() << "no caching in this build";
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  const auto sizes = [&] {
    std::vector<std::int64_t> list(4);
    for (std::int64_t& size : list) size = (1 << 16) + static_cast<std::int64_t>(gen() % (1 << 20));
    return list;
  };
  const std::vector<std::int64_t> kept = sizes(), gradients = sizes();
  constexpr int kLayers = 12;
  std::size_t mapped = 0, live = 0;
  for (int step = 0; step < 20; ++step) {
    std::vector<std::vector<Tensor>> layers(kLayers);
    for (auto& layer : layers) {
      for (const std::int64_t size : kept) {
        const Tensor temporary = Tensor::empty({size});
        layer.push_back(Tensor::empty({size}));
      }
    }
    std::vector<Tensor> made;
    while (!layers.empty()) {
      layers.pop_back();
      for (const std::int64_t size : gradients) made.push_back(Tensor::empty({size}));
    }
    if (step == 9) mapped = memory_use().mapped;
    live = memory_use().live;
  }
  // A cache that keeps blocks as they are asks for about this much in every step.
  EXPECT_LT(memory_use().mapped - mapped, live / 2);
}

TEST(Allocator, OldBlocksAreLetGoWhenSizesChange) {
  if (!caching()) GTEST_SKIP() << "no caching in this build";
  for (std::size_t mebibytes = 8; mebibytes < 200; mebibytes += 16) {
    deallocate_bytes(allocate_bytes(mebibytes << 20), mebibytes << 20);
  }
  EXPECT_LE(memory_use().cached, std::size_t{(128 + 208) << 20});
  release_cached_memory();
}

TEST(Allocator, MoreThanThereIsThrows) {
  EXPECT_THROW(allocate_bytes(std::size_t{1} << 60), Error);
  EXPECT_THROW(allocate_bytes(SIZE_MAX), Error);
  EXPECT_THROW(Tensor::empty({std::int64_t{1} << 61}, Dtype::F32), Error);
}

}  // namespace
}  // namespace gladius
