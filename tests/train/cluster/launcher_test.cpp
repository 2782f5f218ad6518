#include "gladius/train/cluster/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"

namespace gladius::cluster {
namespace {

using ::testing::HasSubstr;

std::optional<Launch> launch_of(const std::map<std::string, std::string>& environment) {
  for (const char* name :
       {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
        "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES", "SLURM_PROCID", "PMIX_RANK", "PMI_RANK"}) {
    const auto given = environment.find(name);
    if (given == environment.end()) {
      ::unsetenv(name);
    } else {
      ::setenv(name, given->second.c_str(), 1);
    }
  }
  return find_launch();
}

TEST(Launcher, IsSeenInTheEnvironment) {
  EXPECT_FALSE(launch_of({}));
  EXPECT_FALSE(launch_of({{"SLURM_PROCID", "0"}}));  // a batch script
  EXPECT_FALSE(launch_of({{"OMPI_COMM_WORLD_SIZE", "1"}, {"OMPI_COMM_WORLD_RANK", "0"}}));
  EXPECT_FALSE(launch_of({{"OMPI_COMM_WORLD_SIZE", "many"}}));
  const auto by_mpirun = launch_of({{"OMPI_COMM_WORLD_SIZE", "4"},
                                    {"OMPI_COMM_WORLD_RANK", "3"},
                                    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  ASSERT_TRUE(by_mpirun);
  EXPECT_EQ(by_mpirun->rank, 3);
  EXPECT_EQ(by_mpirun->size, 4);
  EXPECT_EQ(by_mpirun->local_size, 2);
  const auto by_srun = launch_of({{"SLURM_STEP_NUM_TASKS", "5"},
                                  {"SLURM_STEP_NUM_NODES", "2"},
                                  {"SLURM_PROCID", "1"},
                                  {"PMIX_RANK", "1"}});
  ASSERT_TRUE(by_srun);
  EXPECT_EQ(by_srun->rank, 1);
  EXPECT_EQ(by_srun->size, 5);
  EXPECT_EQ(by_srun->local_size, 3);
}

TEST(Launcher, SrunWithoutMpiIsRefused) {
  EXPECT_THAT(testing::message_of<ConfigError>([] {
                launch_of({{"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_PROCID", "1"}});
              }),
              HasSubstr("srun --mpi=pmix"));
  launch_of({});
}

}  // namespace
}  // namespace gladius::cluster
