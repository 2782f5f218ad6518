// Runs that go on with another length.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/train/loop/input_checks.h"
#include "gladius/train/report/run_record.h"
#include "gladius/train/run/checkpoint.h"
#include "support/message_of.h"
#include "train/run/run_events.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::contents;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::timeless_metrics;
using testing::TinyRun;
using testing::weights;

// Begun with another length and brought to it, or begun with it.
class Longer : public ::testing::Test {
 protected:
  Json plain(std::int64_t steps) const {
    Json file = run_.run_file();
    file["optimizer"] = {{"lr", 0.01}, {"warmup_steps", 2}};
    file["steps"] = steps;
    return file;
  }
  Json on_experts(std::int64_t first, std::int64_t second) const {
    Json file = run_.distillation_file();
    file["optimizer"] = {{"lr", 0.01}};
    file["experts"][0]["steps"] = first;
    file["experts"][1]["steps"] = second;
    return file;
  }
  void run(const Json& file, const fs::path& out, bool resume = false, std::int64_t stop = -1) {
    execute(run_.config(file), out, resume, stop);
  }
  void expect_same(const Json& shorter, const Json& longer, std::int64_t interrupted = -1) {
    SCOPED_TRACE(shorter.dump() + longer.dump());
    const fs::path out = fresh(), whole = fresh();
    run(shorter, out);
    run(longer, whole);
    ASSERT_NE(weights(out), weights(whole));
    if (interrupted > 0) {
      run(longer, out, true, interrupted);
      EXPECT_FALSE(RunRecord::read({out}).complete);
    }
    run(longer, out, true);
    EXPECT_EQ(weights(out), weights(whole));
    EXPECT_EQ(timeless_metrics(out), timeless_metrics(whole));
    EXPECT_EQ(testing::events_differ({out}), "");
    EXPECT_EQ(Json::parse(read_file(out / "run.json")),
              settle_vocabularies(run_.config(longer)).resolved());
    EXPECT_TRUE(RunRecord::read({out}).complete);
    EXPECT_LE(list_checkpoints(out / "checkpoints").size(), 2u);
  }
  void expect_refused(const Json& shorter, const Json& longer, const std::string& what) {
    const fs::path out = fresh();
    run(shorter, out);
    const auto before = contents(out);
    EXPECT_THAT(message_of<ConfigError>([&] { run(longer, out, true); }),
                AllOf(HasSubstr(what), HasSubstr("student.init"), HasSubstr("--out")));
    EXPECT_EQ(contents(out), before);
  }
  fs::path fresh() { return run_.directory / ("out" + std::to_string(count_++)); }

  TinyRun run_;
  int count_ = 0;
};

TEST_F(Longer, AFinishedRunBecomesTheLongerOneToTheBit) {
  expect_same(plain(12), plain(21));
  expect_same(plain(12), plain(13), -1);
  expect_same(plain(12), plain(30), 17);
  expect_same(on_experts(7, 6), on_experts(7, 11));
  expect_same(on_experts(7, 6), on_experts(7, 11), 15);
}

// Groups of 3: step 9 is a group of its own in a run of 10, but not in a longer one.
TEST_F(Longer, AGroupThatEndedEarlyIsDoneAgain) {
  Json shorter = plain(10), longer = plain(20);
  shorter["checkpoint_every"] = longer["checkpoint_every"] = 3;
  expect_same(shorter, longer);
  shorter["checkpoint_every"] = longer["checkpoint_every"] = 7;
  expect_refused(shorter, longer, "steps 10 -> 20 (the steps from 9 on have made an update");
}

TEST_F(Longer, WhereTheStepsSoFarWouldHaveBeenOthersItIsRefused) {
  Json cosine = plain(12), longer = plain(24);
  cosine["optimizer"]["schedule"] = longer["optimizer"]["schedule"] = "cosine";
  expect_refused(cosine, longer, "steps 12 -> 24 (optimizer.schedule falls over the whole length");
  expect_refused(plain(12), plain(6), "steps 12 -> 6");
  expect_refused(on_experts(7, 6), on_experts(9, 6), "experts.0.steps 7 -> 9");
  Json other = plain(24);
  other["seed"] = 5;
  expect_refused(plain(12), other, "seed 0 -> 5");
}

TEST_F(Longer, ARunThatWasStoppedMayChangeWhatIsStillToCome) {
  const fs::path out = fresh(), whole = fresh();
  run(on_experts(7, 6), out, false, 5);
  run(on_experts(10, 3), out, true);
  run(on_experts(10, 3), whole);
  EXPECT_EQ(weights(out), weights(whole));
  EXPECT_EQ(timeless_metrics(out), timeless_metrics(whole));
}

}  // namespace
}  // namespace gladius::train
