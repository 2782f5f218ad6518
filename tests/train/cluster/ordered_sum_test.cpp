#include "gladius/train/cluster/ordered_sum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "gladius/train/cluster/shared_transport.h"
#include "support/message_of.h"
#include "train/cluster/rank_checks.h"

namespace gladius::cluster {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::Rng;

TEST(OrderedSum, HasTheBitsOfASumInTheRanksOrder) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int trial = 0; trial < 6; ++trial) {
    const int size = static_cast<int>(testing::random_int(rng, 1, 6));
    const std::int64_t n = testing::random_int(rng, 0, trial % 2 == 0 ? 9 : 5000);
    run_ranks(size, [&](Communicator& ranks) { testing::check_collectives(ranks, seed, n); });
  }
}

// What rounding takes off is not lost: the mean of many sums is closer than one sum can be.
TEST(OrderedSum, CompressedSumsAreRightInTheLongRun) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const int size = static_cast<int>(seed % 3) + 2;
  constexpr std::size_t kValues = 37;
  constexpr int kTimes = 400;
  run_ranks(size, [&](Communicator& ranks) {
    std::vector<double> exact(kValues), means(kValues);
    std::vector<float> own(kValues);
    for (int rank = 0; rank < size; ++rank) {
      Rng rng(seed + static_cast<unsigned>(rank));
      for (std::size_t i = 0; i < kValues; ++i) {
        const double value = std::uniform_real_distribution<float>(1, 2)(rng);
        if (rank == ranks.rank()) own[i] = static_cast<float>(value);
        exact[i] += value;
      }
    }
    std::vector<float> residual(kValues);
    double worst_once = 0;
    for (int time = 0; time < kTimes; ++time) {
      std::vector<float> values = own;
      reduce_scatter_compressed(ranks, values, residual);
      all_gather_compressed(ranks, values, residual);
      std::vector<float> of_rank_0 = values;
      broadcast(ranks, std::as_writable_bytes(std::span(of_rank_0)));
      EXPECT_TRUE(testing::same_bits(values, of_rank_0));
      for (std::size_t i = 0; i < kValues; ++i) {
        means[i] += values[i] / static_cast<double>(kTimes);
        worst_once = std::max(worst_once, std::abs(values[i] - exact[i]));
      }
    }
    EXPECT_GT(worst_once, 1e-3);
    for (std::size_t i = 0; i < kValues; ++i) EXPECT_NEAR(means[i], exact[i], 3e-4);
  });
}

TEST(OrderedSum, SharesCoverEverythingEvenly) {
  Rng rng(std::random_device{}());
  for (int trial = 0; trial < 100; ++trial) {
    const std::int64_t n = testing::random_int(rng, 0, 1000);
    const int size = static_cast<int>(testing::random_int(rng, 1, 40));
    std::int64_t end = 0;
    for (int rank = 0; rank < size; ++rank) {
      const Share share = share_of(n, rank, size);
      ASSERT_EQ(share.begin, end);
      ASSERT_GE(share.size(), n / size);
      ASSERT_LE(share.size(), n / size + 1);
      end = share.end;
    }
    ASSERT_EQ(end, n);
  }
}

TEST(SharedTransport, PassesOnWhatARankThrowsAndEndsTheOthers) {
  std::atomic<int> ended = 0;
  const std::string message = message_of<ConfigError>([&] {
    run_ranks(3, [&](Communicator& ranks) {
      if (ranks.rank() == 1) throw ConfigError("no data");
      EXPECT_THAT(message_of<ClusterError>([&] { barrier(ranks); }),
                  HasSubstr("rank 1 has failed"));
      ++ended;
    });
  });
  EXPECT_EQ(message, "no data");
  EXPECT_EQ(ended, 2);
}

TEST(SharedTransport, GivesUpAfterTheTimeOut) {
  run_ranks(2, [&](Communicator& ranks) {
    if (ranks.rank() == 1) {
      std::byte byte{};
      ranks.set_timeout(0.05);
      EXPECT_THAT(message_of<ClusterError>([&] {
                    ranks.receive(0, {&byte, 1});
                  }),
                  HasSubstr("rank 0 has not answered for 0.05 s"));
      ranks.set_timeout(0);
      ranks.send_text(0, "go on");
    } else {
      EXPECT_EQ(ranks.receive_text(1), "go on");
    }
  });
}

TEST(SharedTransport, RefusesAMessageOfAnotherLength) {
  const std::string message = message_of<ClusterError>([&] {
    run_ranks(2, [&](Communicator& ranks) {
      std::vector<std::byte> bytes(ranks.rank() == 0 ? 3 : 5);
      if (ranks.rank() == 0) ranks.send(1, bytes);
      if (ranks.rank() == 1) ranks.receive(0, bytes);
    });
  });
  EXPECT_THAT(message, HasSubstr("rank 0 has sent 3 bytes, expected 5"));
}

TEST(SharedTransport, AWatchEndsAWait) {
  const std::string message = message_of<ClusterError>([&] {
    run_ranks(2, [&](Communicator& ranks) {
      if (ranks.rank() == 1) return;
      ranks.set_watch([] { throw ClusterError("rank 1 has died"); });
      ranks.receive_text(1);
    });
  });
  EXPECT_EQ(message, "rank 1 has died");
}

}  // namespace
}  // namespace gladius::cluster
