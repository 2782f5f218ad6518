#include "gladius/train/cluster/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "gladius/train/cluster/shared_transport.h"
#include "support/message_of.h"

namespace gladius::cluster {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

// What each rank's monitor was told.
struct Heard {
  explicit Heard(int size) : failures(static_cast<std::size_t>(size)) {}
  std::mutex mutex;
  std::vector<std::vector<Failure>> failures;

  Monitor::Options options(int rank, double timeout_s = 20) {
    Monitor::Options options;
    options.timeout_s = timeout_s;
    options.on_failure = [this, rank](const Failure& failure) {
      const std::lock_guard lock(mutex);
      failures.at(static_cast<std::size_t>(rank)).push_back(failure);
    };
    return options;
  }
};

void wait_for_failure(const Monitor& monitor) {
  for (;;) {
    try {
      monitor.check();
    } catch (const ClusterError&) {
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(Monitor, OneRanksFailureIsKnownToAllAndToldByRank0Alone) {
  for (int failing = 0; failing < 3; ++failing) {
    Heard heard(3);
    run_ranks(3, [&](Communicator& ranks) {
      Monitor monitor(ranks, heard.options(ranks.rank()));
      if (ranks.rank() == failing) {
        monitor.fail("no space\nleft");
      } else {
        wait_for_failure(monitor);
      }
      EXPECT_THAT(message_of<ClusterError>([&] { monitor.check(); }), HasSubstr("no space left"));
      barrier(ranks);  // none goes before all know
    });
    for (std::size_t rank = 0; rank < 3; ++rank) {
      ASSERT_EQ(heard.failures[rank].size(), 1U);
      EXPECT_EQ(heard.failures[rank][0].rank, failing);
      EXPECT_EQ(heard.failures[rank][0].cause, "no space left");
      EXPECT_EQ(heard.failures[rank][0].told, rank != 0);
    }
  }
}

TEST(Monitor, AProcessThatEndsWithoutAWordIsMissed) {
  for (int dying = 0; dying < 3; ++dying) {
    Heard heard(3);
    run_ranks(3, [&](Communicator& ranks) {
      Monitor monitor(ranks, heard.options(ranks.rank()));
      if (ranks.rank() != dying) wait_for_failure(monitor);
    });
    int told = 0;
    for (int rank = 0; rank < 3; ++rank) {
      const auto& failures = heard.failures[static_cast<std::size_t>(rank)];
      if (rank == dying) {
        EXPECT_TRUE(failures.empty());
        continue;
      }
      ASSERT_EQ(failures.size(), 1U);
      EXPECT_EQ(failures[0].rank, dying);
      EXPECT_THAT(failures[0].describe(), HasSubstr("without a word"));
      told += failures[0].told ? 0 : 1;
    }
    EXPECT_EQ(told, 1) << dying;
  }
}

TEST(Monitor, WhoLeavesIsNotMissed) {
  Heard heard(3);
  run_ranks(3, [&](Communicator& ranks) {
    {
      Monitor monitor(ranks, heard.options(ranks.rank(), 1));
      barrier(ranks);
      monitor.leave();
      if (ranks.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    barrier(ranks);
  });
  for (const auto& failures : heard.failures) EXPECT_TRUE(failures.empty());
}

TEST(Monitor, AWishToStopReachesRank0) {
  for (const int asking : {0, 2}) {
    std::atomic<int> asked = -1;
    run_ranks(3, [&](Communicator& ranks) {
      Monitor::Options options;
      options.on_stop = [&](int rank, const std::string& why) {
        EXPECT_EQ(why, "SIGTERM");
        EXPECT_EQ(ranks.rank(), 0);
        asked = rank;
      };
      Monitor monitor(ranks, options);
      if (ranks.rank() == asking) monitor.ask_to_stop("SIGTERM");
      while (asked < 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      barrier(ranks);
      monitor.leave();
      barrier(ranks);
    });
    EXPECT_EQ(asked, asking);
  }
}

}  // namespace
}  // namespace gladius::cluster
