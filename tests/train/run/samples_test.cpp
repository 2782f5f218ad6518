#include "gladius/train/run/samples.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

using testing::read_file;
using testing::write_file;

std::string sample_line(std::int64_t step, const std::string& answer) {
  return StepSamples{.step = step,
                     .samples = {{.messages = {{{"role", "user"}, {"content", "?"}}},
                                  .answer = answer,
                                  .cut = false}}}
      .to_line();
}

TEST(Samples, ALineIsJsonWhateverTheStudentHasWritten) {
  EXPECT_EQ(
      sample_line(3, "\xc3\xa9\n"),
      "{\"step\":3,\"samples\":[{\"messages\":[{\"role\":\"user\",\"content\":\"?\"}],\"answer\":"
      "\"\xc3\xa9\\n\",\"cut\":false}]}\n");
  EXPECT_EQ(step_of_samples(sample_line(3, "a\xff\xc3")), 3);
  for (const char* wrong :
       {"", "x", "3", "{}", "{\"step\": 3}", "{\"step\": \"3\", \"samples\": []}",
        "{\"step\": 3, \"samples\": [{\"answer\": \"a\", \"cut\": true}]}"}) {
    EXPECT_FALSE(step_of_samples(wrong)) << wrong;
  }
}

TEST(Samples, WhatTheRunMakesAgainIsCut) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  const testing::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "samples.jsonl";
  keep_samples(file, 0);
  EXPECT_FALSE(std::filesystem::exists(file));
  for (int round = 0; round < 100; ++round) {
    std::string text, kept;
    const std::int64_t steps = rng() % 40;
    std::int64_t step = 0;
    bool cut = false;
    for (auto lines = rng() % 10; lines > 0; --lines, step += 1 + rng() % 9) {
      const std::string line =
          rng() % 8 == 0 ? "somebody's\n" : sample_line(step, std::to_string(rng()));
      cut = cut || (line[0] == '{' && step >= steps);
      if (!cut) kept += line;
      text += line;
    }
    if (rng() % 2) text += sample_line(step, "half").substr(0, 1 + rng() % 20);
    write_file(file, text);
    keep_samples(file, steps);
    EXPECT_EQ(read_file(file), kept) << text;
  }
}

TEST(Samples, TheNewestAreRead) {
  const testing::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "samples.jsonl";
  EXPECT_FALSE(read_newest_samples(file));
  write_file(file, sample_line(1, "a") + sample_line(2, "b") + "no\n" + "{\"step\":3,");
  const auto newest = read_newest_samples(file);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, 2);
  EXPECT_EQ(newest->samples.at(0).answer, "b");
}

}  // namespace
}  // namespace gladius::train
