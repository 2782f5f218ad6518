// The ranks of an MPI job check each other's messages and sums: mpirun -n 3 mpi_ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/train/cluster/launcher.h"
#include "gladius/train/cluster/mpi_transport.h"
#include "support/message_of.h"
#include "train/cluster/rank_checks.h"

namespace gladius::cluster {
namespace {

using ::testing::HasSubstr;

// One for all tests, as MPI can be initialised once. (Leaving it to the end of the process would
// finalise it after other statics are gone.)
class MpiRanks : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ranks_ = make_mpi_communicator(); }
  static void TearDownTestSuite() { ranks_.reset(); }
  static std::unique_ptr<Communicator> ranks_;
};
std::unique_ptr<Communicator> MpiRanks::ranks_;

TEST_F(MpiRanks, AreThoseOfTheLauncher) {
  const auto launch = find_launch();
  ASSERT_TRUE(launch);
  EXPECT_EQ(ranks_->rank(), launch->rank);
  EXPECT_EQ(ranks_->size(), launch->size);
}

TEST_F(MpiRanks, SumGatherAndBroadcast) {
  const auto seed = static_cast<unsigned>(
      std::stoul(broadcast_text(*ranks_, std::to_string(std::random_device{}() % 1000000))));
  testing::Rng rng(seed);
  for (int trial = 0; trial < 30; ++trial) {
    // Messages of every protocol that the transports have.
    const std::int64_t n = testing::random_int(rng, 0, trial % 3 == 0 ? 300000 : 300);
    testing::check_collectives(*ranks_, seed, n);
  }
}

TEST_F(MpiRanks, RefuseAMessageThatIsTooShort) {
  if (ranks_->rank() == 0) {
    ranks_->send_text(1, "abc");
  } else if (ranks_->rank() == 1) {
    std::array<std::byte, 8> length{};
    ranks_->receive(0, length);
    std::array<std::byte, 5> longer{};
    EXPECT_THAT(testing::message_of<ClusterError>([&] { ranks_->receive(0, longer); }),
                HasSubstr("rank 0 has sent 3 bytes, expected 5"));
  }
}

}  // namespace
}  // namespace gladius::cluster
