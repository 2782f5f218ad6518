#include "gladius/train/report/tensorboard/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "gladius/tensor/base/error.h"
#include "gladius/train/report/tensorboard/event.h"
#include "support/event_reader.h"
#include "support/message_of.h"
#include "support/random.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::read_events;
using testing::read_file;
using testing::ReadEvent;
using testing::TemporaryDirectory;
using testing::write_file;

StepRecord record(std::int64_t step) {
  StepRecord result;
  result.step = step;
  result.loss = 1.0 / (static_cast<double>(step) + 3);  // of the largest step too
  result.loss_running_mean = 2.5;
  result.loss_window_mean = 1.5;
  result.kl = 0.1;
  result.ce = 7;
  result.lr = 1e-4;
  result.grad_norm = 1e-3;
  result.tokens_per_s = static_cast<double>(step);
  return result;
}

std::vector<StepRecord> records(std::int64_t count) {
  std::vector<StepRecord> result;
  for (std::int64_t step = 0; step < count; ++step) result.push_back(record(step));
  return result;
}

void expect_steps(const std::filesystem::path& path, std::uint64_t count) {
  const std::vector<ReadEvent> events = read_events(read_file(path));
  ASSERT_EQ(events.size(), count + 1);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  for (std::uint64_t i = 0; i < count; ++i) {
    EXPECT_EQ(events[i + 1].step, i);
    EXPECT_EQ(events[i + 1].scalars.at("loss/loss"), static_cast<float>(1.0 / double(i + 3)));
  }
}

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Event, Crc32cHasThePublishedValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Event, AStepHasItsNumbersUnderTheMetricsNames) {
  StepRecord step = record(std::numeric_limits<std::int64_t>::max());
  const ReadEvent event = read_events(step_frame(step, 12.5)).at(0);
  EXPECT_EQ(event.wall_time, 12.5);
  EXPECT_EQ(event.step, 0x7fffffffffffffffU);
  EXPECT_THAT(
      event.scalars,
      ::testing::ElementsAre(
          std::pair("loss/ce", 7.F), std::pair("loss/kl", 0.1F),
          std::pair("loss/loss", static_cast<float>(step.loss)),
          std::pair("loss/loss_running_mean", 2.5F), std::pair("loss/loss_window_mean", 1.5F),
          std::pair("optimizer/grad_norm", 1e-3F), std::pair("optimizer/lr", 1e-4F),
          std::pair("throughput/tokens_per_s", static_cast<float>(step.tokens_per_s))));
}

TEST(Event, AnEvaluationHasItsOwnGroup) {
  StepRecord step = record(0);
  step.evaluation = {
      .cross_entropy = 0.5, .perplexity = INFINITY, .bits_per_byte = 0.25, .tokens = 70};
  const ReadEvent event = read_events(step_frame(step, 0)).at(0);
  EXPECT_EQ(event.scalars.at("eval/eval_cross_entropy"), 0.5F);
  EXPECT_EQ(event.scalars.at("eval/eval_bits_per_byte"), 0.25F);
  EXPECT_FALSE(event.scalars.contains("eval/eval_perplexity"));
}

TEST(Event, PartsOfTheGradientAndTheMemoryAreThereWhereTheyWereRecorded) {
  StepRecord step = record(0);
  step.grad_norms = {{"embed_tokens", 0.25}, {"layers.0", NAN}, {"layers.10", 3}};
  step.memory_mib = 1.5;
  const ReadEvent event = read_events(step_frame(step, 0)).at(0);
  EXPECT_EQ(event.scalars.at("grad_norms/embed_tokens"), 0.25F);
  EXPECT_EQ(event.scalars.at("grad_norms/layers.10"), 3.F);
  EXPECT_EQ(event.scalars.at("memory/memory_mib"), 1.5F);
  EXPECT_EQ(event.scalars.size(), read_events(step_frame(record(0), 0)).at(0).scalars.size() + 3);
}

TEST(Event, WhatIsNullInTheMetricsIsNoScalar) {
  StepRecord step = record(0);
  step.loss = NAN;
  step.kl = {};
  step.grad_norm = INFINITY;
  const ReadEvent event = read_events(step_frame(step, 0)).at(0);
  EXPECT_EQ(event.scalars.size(), 5u);
  for (const char* tag : {"loss/loss", "loss/kl", "optimizer/grad_norm"}) {
    EXPECT_FALSE(event.scalars.contains(tag)) << tag;
  }
}

TEST(EventFile, GrowsByAnEventAStepAtTheTimeOfTheWriting) {
  const TemporaryDirectory directory;
  const auto seconds = [] {
    const auto time = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration<double>(time).count();
  };
  const double before = seconds();
  EventFile file(directory / "events", {});
  for (const StepRecord& step : records(200)) file.append(step);
  const double after = seconds();
  expect_steps(directory / "events", 200);
  for (const ReadEvent& event : read_events(read_file(directory / "events"))) {
    EXPECT_GE(event.wall_time, before);
    EXPECT_LE(event.wall_time, after);
  }
}

TEST(EventFile, ARunThatGoesOnKeepsTheEventsOfItsMetricsAndDropsTheRest) {
  const TemporaryDirectory directory;
  const auto path = directory / "events";
  { EventFile file(path, records(8)); }
  const std::string eight = read_file(path);
  {
    EventFile file(path, records(5));
    file.append(record(5));
  }
  expect_steps(path, 6);
  const std::string six = read_file(path);
  const std::size_t kept = six.size() - step_frame(record(5), 0).size();
  EXPECT_EQ(six.substr(0, kept), eight.substr(0, kept));  // the times too
  // The same steps lie at the same places, whatever the time: a reader can stay where it is.
  { EventFile file(path, records(8)); }
  EXPECT_EQ(read_file(path).size(), eight.size());
}

// Whatever a killed process, a full disk or a user has made of the file.
TEST(EventFile, AFileThatIsDamagedAnywhereIsMadeWhole) {
  const TemporaryDirectory directory;
  const auto path = directory / "events";
  { EventFile file(path, records(6)); }
  const std::string whole = read_file(path);
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    const auto at = static_cast<std::size_t>(
        testing::random_int(rng, 0, static_cast<std::int64_t>(whole.size()) - 1));
    if (i % 2 == 0) {
      damaged.resize(at);
    } else {
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << testing::random_int(rng, 0, 7)));
    }
    write_file(path, damaged);
    { EventFile file(path, records(6)); }
    expect_steps(path, 6);
  }
  std::filesystem::remove(path);
  { EventFile file(path, records(6)); }
  expect_steps(path, 6);
}

TEST(EventFile, WhatCannotBeWrittenIsAnError) {
  EXPECT_THAT(message_of<IoError>([] { EventFile("/nowhere/events", {}); }),
              HasSubstr("/nowhere/events"));
}

}  // namespace
}  // namespace gladius::train
