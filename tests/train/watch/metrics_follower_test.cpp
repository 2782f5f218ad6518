#include "gladius/train/watch/metrics_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MetricsFollowerTest : public ::testing::Test {
 protected:
  static std::string line(std::int64_t step, double seconds = 1) {
    StepRecord record;
    record.step = step;
    record.elapsed_s = seconds;
    return record.to_json().dump() + "\n";
  }
  void write(const std::string& text) { std::ofstream(file_, std::ios::binary) << text; }
  void append(const std::string& text) {
    std::ofstream(file_, std::ios::binary | std::ios::app) << text;
  }
  std::vector<std::int64_t> read_steps(bool started_over = false) {
    const NewMetrics added = follower_.read();
    EXPECT_EQ(added.started_over, started_over);
    EXPECT_FALSE(added.more);
    std::vector<std::int64_t> steps;
    for (const StepRecord& record : added.steps) steps.push_back(record.step);
    return steps;
  }

  testing::TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "metrics.jsonl";
  MetricsFollower follower_{file_};
};

TEST_F(MetricsFollowerTest, ReadsWhatIsNewAndWhole) {
  EXPECT_THAT(read_steps(), IsEmpty()) << "there is no file yet";
  write(line(0) + line(1));
  EXPECT_THAT(read_steps(), ElementsAre(0, 1));
  EXPECT_THAT(read_steps(), IsEmpty());
  const std::string next = line(2);
  append(next.substr(0, 20));
  EXPECT_THAT(read_steps(), IsEmpty()) << "the line is being written";
  append(next.substr(20) + line(3));
  EXPECT_THAT(read_steps(), ElementsAre(2, 3));
}

// By then it may be longer than before.
TEST_F(MetricsFollowerTest, StartsOverWhereAResumedRunHasCutTheFile) {
  write(line(0) + line(1) + line(2));
  EXPECT_THAT(read_steps(), ElementsAre(0, 1, 2));
  write(line(0));
  EXPECT_THAT(read_steps(true), ElementsAre(0));
  append(line(1));
  EXPECT_THAT(read_steps(), ElementsAre(1));
  write(line(0) + line(1, 5) + line(2, 6) + line(3, 7));
  EXPECT_THAT(read_steps(true), ElementsAre(0, 1, 2, 3));
  std::filesystem::remove(file_);
  EXPECT_THAT(read_steps(true), IsEmpty());
}

TEST_F(MetricsFollowerTest, StartsOverAlsoWhereAWrongLineCameFirst) {
  write(line(0) + line(1) + line(2));
  EXPECT_THAT(read_steps(), ElementsAre(0, 1, 2));
  write("{}\n" + line(0));
  EXPECT_THROW(follower_.read(), FormatError);
  write(line(0));
  EXPECT_THAT(read_steps(true), ElementsAre(0));
}

TEST_F(MetricsFollowerTest, LongFilesAreReadInParts) {
  std::string text;
  std::int64_t steps = 0;
  while (text.size() < (9 << 20)) text += line(steps++);
  write(text);
  std::int64_t read = 0;
  int parts = 0;
  for (bool more = true; more; ++parts) {
    const NewMetrics added = follower_.read();
    for (const StepRecord& record : added.steps) ASSERT_EQ(record.step, read++);
    more = added.more;
  }
  EXPECT_EQ(read, steps);
  EXPECT_EQ(parts, 3);
}

TEST_F(MetricsFollowerTest, AWrongLineIsNamedUntilTheFileIsAnother) {
  write(line(0) + "{}\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(testing::message_of<FormatError>([&] { follower_.read(); }),
                HasSubstr("metrics.jsonl:2: not a line of metrics"));
  }
  write(line(0) + line(1));
  EXPECT_THAT(read_steps(), ElementsAre(0, 1));
}

}  // namespace
}  // namespace gladius::train
