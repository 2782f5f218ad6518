#include "gladius/train/watch/samples_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "gladius/train/run/samples.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

class SamplesFollowerTest : public ::testing::Test {
 protected:
  static std::string line(std::int64_t step, const std::string& answer = "yes") {
    StepSamples samples{.step = step, .samples = {}};
    samples.samples.push_back({.messages = {{{"role", "user"}, {"content", "?"}}},
                               .answer = answer + " " + std::to_string(step),
                               .cut = step % 2 == 0});
    return samples.to_line();
  }
  void write(const std::string& text) { std::ofstream(file_, std::ios::binary) << text; }
  void append(const std::string& text) {
    std::ofstream(file_, std::ios::binary | std::ios::app) << text;
  }
  std::string answer(std::int64_t step) {
    const auto found = follower_.at(step);
    return found["samples"].is_null() ? "none" : found["samples"][0]["answer"].get<std::string>();
  }

  testing::TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "samples.jsonl";
  SamplesFollower follower_{file_};
};

TEST_F(SamplesFollowerTest, FindsTheSamplesOfEachStep) {
  EXPECT_FALSE(follower_.update());
  EXPECT_EQ(answer(kLast), "none");
  write(line(9) + line(19));
  EXPECT_TRUE(follower_.update());
  EXPECT_FALSE(follower_.update());
  EXPECT_EQ(follower_.at(kLast)["steps"].dump(), "[9,19]");
  append(line(29).substr(0, 30));
  EXPECT_FALSE(follower_.update()) << "the line is being written";
  append(line(29).substr(30));
  EXPECT_TRUE(follower_.update());
  EXPECT_EQ(follower_.count(), 3);
  EXPECT_EQ(answer(kLast), "yes 29");
  EXPECT_EQ(answer(28), "yes 19");
  EXPECT_EQ(answer(9), "yes 9");
  EXPECT_EQ(answer(8), "none");
  EXPECT_EQ(follower_.at(19)["samples"][0].dump(),
            R"({"messages":[{"role":"user","content":"?"}],"answer":"yes 19","cut":false})");
}

TEST_F(SamplesFollowerTest, ARunThatResumesHasOtherSamples) {
  write(line(9) + line(19) + line(29));
  EXPECT_TRUE(follower_.update());
  EXPECT_EQ(follower_.generation(), 0);
  write(line(9) + line(19, "no"));
  EXPECT_TRUE(follower_.update());
  EXPECT_EQ(follower_.generation(), 1);
  EXPECT_EQ(answer(kLast), "no 19");
}

TEST_F(SamplesFollowerTest, WhatIsNoSampleIsPassedOver) {
  write(line(9) + "{}\nx\n" + line(5) + line(19));
  EXPECT_TRUE(follower_.update());
  EXPECT_EQ(follower_.at(kLast)["steps"].dump(), "[9,19]");
  write("gone");  // before it is looked at again
  EXPECT_EQ(answer(kLast), "none");
}

}  // namespace
}  // namespace gladius::train
