#include "gladius/tensor/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/kernels/gemm.h"

namespace gladius {
namespace {

class Parallel : public ::testing::Test {
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
        EXPECT_THAT(visits, ::testing::Each(1));
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

// What BLAS makes of a product of doubles.
std::vector<double> blas_product() {
  constexpr std::int64_t kSize = 200;
  std::vector<double> a(kSize * kSize), c(kSize * kSize);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i % 7);  // exact sums
  kernels::gemm(kSize, kSize, kSize, a.data(), kSize, a.data(), kSize, c.data(), kSize,
                {.alpha = 2});
  return c;
}

// Sums of ranges, whose last bits show how the numbers were split, with loops within them.
std::vector<float> sums_by_range() {
  std::vector<float> sums(static_cast<std::size_t>(num_threads()));
  std::atomic<std::size_t> range{0};
  parallel_for(100'000, 1, [&](std::int64_t begin, std::int64_t end) {
    float sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += 1 / static_cast<float>(i + 1);
    parallel_for(1000, 1, [&](std::int64_t first, std::int64_t last) {
      sum += static_cast<float>(last - first);
    });
    sums[range++] = sum;
  });
  std::ranges::sort(sums);
  return sums;
}

// OpenMP would wait for ever for threads that fork() does not copy. BLAS's last bits depend on the
// number of its threads, which here is one.
TEST_F(Parallel, AForkedProcessComesToTheSameResultsAlone) {
  set_num_threads(3);
  const std::vector<double> product = blas_product();
  const std::vector<float> sums = sums_by_range();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(120);  // ends a child that hangs
    int wrong = 0;
    for (const int threads : {3, 2, 3}) {
      set_num_threads(threads);
      wrong |= num_threads() != threads || in_parallel_region() ? 1 : 0;
      wrong |= blas_product() != product ? 2 : 0;
      wrong |= threads == 3 && sums_by_range() != sums ? 4 : 0;
    }
    ::_exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(sums_by_range(), sums);
}

TEST_F(Parallel, RefusesFewerThanOneThread) { EXPECT_THROW(set_num_threads(0), Error); }

}  // namespace
}  // namespace gladius
