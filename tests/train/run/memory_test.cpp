#include "gladius/train/run/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"
#include "support/random_models.h"
#include "support/temporary_directory.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::TemporaryDirectory;

class Groups : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    testing::write_file(root_ / file, text);
  }
  std::uint64_t bytes() const { return available_memory(root_.path()).value().bytes; }

  TemporaryDirectory root_;
};

TEST_F(Groups, WithoutAnythingNothingIsKnown) { EXPECT_FALSE(available_memory(root_.path())); }

TEST_F(Groups, TheLeastLimitCounts) {
  write("proc/meminfo", "MemTotal:  9 kB\nMemAvailable:    2000 kB\n");
  EXPECT_EQ(bytes(), 2000u * 1024);
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "5\n");
  EXPECT_EQ(bytes(), 2000u * 1024);
  write("sys/fs/cgroup/a/memory.max", "100000\n");  // the group around it
  write("sys/fs/cgroup/a/memory.current", "60000\n");
  write("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 10000\n");
  EXPECT_EQ(bytes(), 100000u - 50000u);
  EXPECT_THAT(available_memory(root_.path())->limited_by, HasSubstr("cgroup/a/memory.max"));
  write("sys/fs/cgroup/a/memory.current", "200000\n");
  EXPECT_EQ(bytes(), 0u);
}

TEST_F(Groups, OfVersion1) {
  write("proc/self/cgroup", "3:cpu,memory2:/x\n4:memory:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "3000\n");
  write("sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 1000\n");
  EXPECT_EQ(bytes(), 3000u);
}

TEST(Memory, WhatDoesNotFitIsRefusedWithBothFigures) {
  const ModelConfig config =
      ModelConfig::load(std::string(GLADIUS_SOURCE_DIR) + "/configs/gladius-125m.json");
  const auto student = make_language_model(config);
  const MemoryNeed need = estimate_memory(*student, false, 512, 3u << 30, 32000);
  EXPECT_EQ(need.weights, 4u * 124'668'672);
  EXPECT_NO_THROW(require_memory(need, {need.required(), "MemAvailable"}));
  EXPECT_THAT(
      message_of<Error>([&] {
        require_memory(need, {1u << 30, "MemAvailable"});
      }),
      AllOf(HasSubstr("weights 0.46, gradients 0.56, moments 0.93"), HasSubstr("3.00 of mapped"),
            HasSubstr("1.00 are available (MemAvailable)"), HasSubstr("check_memory=false")));
  const MemoryNeed less = estimate_memory(*student, true, 512, 3u << 30, 32000);
  EXPECT_LT(less.activations, need.activations / 4);
  // Muon keeps one buffer of a layer's matrices, AdamW two of everything else.
  const MemoryNeed muon =
      estimate_memory(*student, false, 512, 3u << 30, 32000, {.name = OptimizerName::muon});
  std::uint64_t in_layers = 0;
  for (const auto& [name, parameter, role] : student->parameters_with_roles()) {
    if (role == nn::ParameterRole::matrix) in_layers += parameter.value().nbytes();
  }
  EXPECT_GT(in_layers, 0u);
  EXPECT_EQ(muon.moments, need.moments - in_layers);
  // The largest micro-batch that a run file may ask for.
  const MemoryNeed most =
      estimate_memory(*student, false, kMaxBatchSize * kMaxSeqLen, 3u << 30, 32000);
  EXPECT_GT(most.required(), std::uint64_t{1} << 59);
}

}  // namespace
}  // namespace gladius::train
