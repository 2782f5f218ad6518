#include "gladius/tensor/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "gladius/tensor/error.h"

namespace gladius {
namespace {

class Parallel : public testing::Test {
 protected:
  ~Parallel() override { set_num_threads(before_); }
  int before_ = num_threads();
};

TEST_F(Parallel, RangesCoverEveryIndexOnceAndDependOnNothingElse) {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    EXPECT_EQ(num_threads(), threads);
    for (const std::int64_t n : {0, 1, 2, 6, 7, 100, 1001}) {
      for (const std::int64_t grain : {1, 5, 64, 2000}) {
        std::vector<int> visits(static_cast<std::size_t>(n), 0);
        std::mutex mutex;
        std::int64_t ranges = 0;
        parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
          const std::lock_guard lock(mutex);
          ++ranges;
          if (n >= grain) {
            EXPECT_GE(end - begin, grain);
          }
          for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
        EXPECT_THAT(visits, testing::Each(1));
        EXPECT_EQ(
            ranges,
            n == 0 ? 0 : std::max<std::int64_t>(1, std::min<std::int64_t>(threads, n / grain)));
      }
    }
  }
}

TEST_F(Parallel, TasksRunOnceEachAndKeepWhatTheirThreadKnows) {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (const std::int64_t n : {0, 1, 2, 6, 7, 100, 1001}) {
      for (const std::int64_t grain : {1, 5, 2000}) {
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
        std::atomic<std::int64_t> copies{0}, counted{0};
        parallel_tasks(n, grain, [&, seen = std::int64_t{0}](std::int64_t i) mutable {
          if (seen++ == 0) ++copies;
          ++counted;
          ++visits[static_cast<std::size_t>(i)];
        });
        EXPECT_EQ(counted, n);
        for (const auto& visit : visits) EXPECT_EQ(visit, 1);
        EXPECT_LE(copies, std::clamp<std::int64_t>(n / grain, 1, threads));
      }
    }
  }
}

TEST_F(Parallel, TasksPassOnAnException) {
  set_num_threads(3);
  EXPECT_THROW(parallel_tasks(100, 1,
                              [](std::int64_t i) {
                                if (i == 50) throw std::runtime_error("task");
                              }),
               std::runtime_error);
}

TEST_F(Parallel, NestedCallsRunInOneRange) {
  set_num_threads(2);
  EXPECT_FALSE(in_parallel_region());
  std::atomic<int> inner{0};
  std::atomic<int> inside{0};
  parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    inside += in_parallel_region();
    parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) {
      EXPECT_EQ(begin, 0);
      EXPECT_EQ(end, 100);
      ++inner;
    });
  });
  EXPECT_EQ(inner, 2);
  EXPECT_EQ(inside, 2);
}

TEST_F(Parallel, TheLowestRangesExceptionComesThrough) {
  set_num_threads(4);
  try {
    parallel_for(4, 1, [](std::int64_t begin, std::int64_t) {
      if (begin > 0) throw std::runtime_error(std::to_string(begin));
    });
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "1");
  }
}

TEST_F(Parallel, RefusesFewerThanOneThread) { EXPECT_THROW(set_num_threads(0), Error); }

}  // namespace
}  // namespace gladius
