#include "gladius/train/run/stop_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/tensor/base/error.h"
#include "support/message_of.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;

class StopRequestTest : public ::testing::Test {
 protected:
  // Asks for a stop when `steps` are done in all; what is said goes to infos_.
  RunOutcome execute_to(std::int64_t steps, bool resume) {
    return distill(config_, paths_.directory, resume,
                   {.step =
                        [&](const StepRecord& record) {
                          if (record.step + 1 == steps) request_stop(paths_);
                        },
                    .info = [this](const std::string& text) { infos_.push_back(text); }});
  }

  testing::TinyRun run_;
  RunConfig config_ = run_.config(run_.distillation_file());
  RunPaths paths_{run_.directory / "out"};
  std::filesystem::path whole_ = run_.directory / "whole";
  std::vector<std::string> infos_;
};

TEST_F(StopRequestTest, TheRunStopsWithACheckpointAndGoesOnToTheBit) {
  testing::execute(config_, whole_);
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  const std::int64_t first = testing::random_int(rng, 1, 11);
  const std::int64_t second = testing::random_int(rng, first + 1, 12);
  RunOutcome outcome = execute_to(first, false);
  EXPECT_FALSE(outcome.complete);
  EXPECT_EQ(outcome.steps, first);
  EXPECT_THAT(infos_, Contains(HasSubstr("a stop is asked for")).Times(1));
  EXPECT_FALSE(is_stop_requested(paths_));
  EXPECT_THAT(testing::read_file(paths_.timeline()),
              HasSubstr("stopped at step " + std::to_string(first)));
  outcome = execute_to(second, true);
  EXPECT_FALSE(outcome.complete);
  EXPECT_EQ(outcome.steps, second);
  testing::expect_resumes_as(config_, paths_.directory, whole_);
}

TEST_F(StopRequestTest, WhereNoProcessRunsThereIsNobodyToAsk) {
  const auto refused = [&] { return message_of<Error>([&] { request_stop(paths_); }); };
  EXPECT_THAT(refused(), HasSubstr("no process runs in "));
  execute_to(4, false);
  EXPECT_THAT(refused(), HasSubstr("no process runs in "));
  EXPECT_FALSE(is_stop_requested(paths_));
  const DirectoryLock lock(paths_.directory);
  request_stop(paths_);
  request_stop(paths_);  // again
  EXPECT_TRUE(is_stop_requested(paths_));
}

// Whoever asked meant a process that is gone.
TEST_F(StopRequestTest, ARequestIsNotForTheNextProcess) {
  execute_to(4, false);
  testing::write_file(paths_.stop_request(), "");
  EXPECT_TRUE(execute_to(-1, true).complete);
  EXPECT_FALSE(is_stop_requested(paths_));
}

TEST_F(StopRequestTest, IsSeenOnce) {
  testing::execute(config_, paths_.directory);
  StopRequest request(paths_);
  EXPECT_FALSE(request.seen());
  testing::write_file(paths_.stop_request(), "");
  EXPECT_TRUE(request.seen());
  EXPECT_FALSE(is_stop_requested(paths_));
  EXPECT_TRUE(request.seen()) << "it was";
}

}  // namespace
}  // namespace gladius::train
