#include "gladius/optim/lr_schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace gladius {
namespace {

// The values of `transformers.get_<kind>_schedule_with_warmup(optimizer, 4, 12)` at lr 1 (5.x),
// [get_last_lr()[0]] before each of the steps 0 .. 12 of /work/venv/bin/python.
const std::vector<double> kConstant{0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 1};
const std::vector<double> kLinear{0,     0.25, 0.5,   0.75, 1,     0.875, 0.75,
                                  0.625, 0.5,  0.375, 0.25, 0.125, 0};
const std::vector<double> kCosine{0,
                                  0.25,
                                  0.5,
                                  0.75,
                                  1,
                                  0.9619397662556434,
                                  0.8535533905932737,
                                  0.6913417161825449,
                                  0.5,
                                  0.30865828381745514,
                                  0.14644660940672627,
                                  0.03806023374435663,
                                  0};

TEST(LrSchedule, FollowsTransformers) {
  for (std::int64_t step = 0; step <= 12; ++step) {
    SCOPED_TRACE(step);
    const auto i = static_cast<std::size_t>(step);
    EXPECT_DOUBLE_EQ((LrSchedule{ScheduleKind::constant, 4, 12}.factor(step)), kConstant[i]);
    EXPECT_DOUBLE_EQ((LrSchedule{ScheduleKind::linear, 4, 12}.factor(step)), kLinear[i]);
    EXPECT_NEAR((LrSchedule{ScheduleKind::cosine, 4, 12}.factor(step)), kCosine[i], 1e-15);
  }
}

TEST(LrSchedule, StaysAtZeroAfterTheEnd) {
  for (const ScheduleKind kind : {ScheduleKind::linear, ScheduleKind::cosine}) {
    for (const std::int64_t step : {12, 13, 20, 1000}) {
      EXPECT_EQ((LrSchedule{kind, 4, 12}.factor(step)), 0);
    }
    EXPECT_EQ((LrSchedule{kind, 4, 4}.factor(4)), 0) << "nothing after the warm-up";
    EXPECT_EQ((LrSchedule{kind, 0, 1}.factor(0)), 1);
  }
}

TEST(LrSchedule, WithoutWarmupStartsAtOne) {
  for (const ScheduleKind kind :
       {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine}) {
    EXPECT_EQ((LrSchedule{kind, 0, 10}.factor(0)), 1);
  }
}

TEST(LrSchedule, TakesAnyNumberOfSteps) {
  for (const ScheduleKind kind : {ScheduleKind::linear, ScheduleKind::cosine}) {
    const double middle = LrSchedule{kind, INT64_MIN, INT64_MAX}.factor(0);
    EXPECT_NEAR(middle, 0.5, 1e-12);
    EXPECT_EQ((LrSchedule{kind, INT64_MAX, INT64_MAX}.factor(INT64_MAX)), 0);
  }
}

}  // namespace
}  // namespace gladius
