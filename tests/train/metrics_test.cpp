#include "gladius/train/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gladius/tensor/error.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

StepRecord record(std::int64_t step) {
  return {.step = step,
          .expert = "q\"wen",
          .loss = 1.0 / 3,
          .loss_running_mean = 2.5,
          .loss_window_mean = 1.5,
          .kl = 0.1,
          .ce = 7,
          .lr = 1e-4,
          .grad_norm = {},
          .skipped_updates = 2,
          .tokens = 9,
          .tokens_per_s = 4.5,
          .elapsed_s = 2};
}

TEST(Metrics, ALineHasTheKeysOfTheSpecification) {
  EXPECT_EQ(
      record(3).to_json().dump(),
      R"({"step":3,"expert":"q\"wen","loss":0.3333333333333333,"loss_running_mean":2.5,)"
      R"("loss_window_mean":1.5,"kl":0.1,"ce":7.0,"lr":0.0001,"grad_norm":null,"skipped_updates":2,"tokens":9,)"
      R"("tokens_per_s":4.5,"elapsed_s":2.0})");
}

TEST(Metrics, BadLinesAreCountedWhereThereAreAny) {
  StepRecord some = record(0);
  some.skipped_lines = 3;
  EXPECT_EQ(some.to_json().at("skipped_lines"), 3);
  EXPECT_EQ(StepRecord::from_json(some.to_json()).skipped_lines, 3);
  EXPECT_EQ(StepRecord::from_json(record(0).to_json()).skipped_lines, 0);
}

TEST(Metrics, AnEvaluationStandsInTheLineOfItsStep) {
  StepRecord evaluated = record(0);
  evaluated.evaluation = {.cross_entropy = 0.5, .perplexity = 1.625, .tokens = 70};
  EXPECT_THAT(evaluated.to_json().dump(),
              HasSubstr(R"("eval_cross_entropy":0.5,"eval_perplexity":1.625,"eval_tokens":70})"));
  EXPECT_EQ(StepRecord::from_json(evaluated.to_json()).to_json(), evaluated.to_json());
  EXPECT_FALSE(StepRecord::from_json(record(0).to_json()).evaluation);
  evaluated.evaluation->perplexity = INFINITY;
  const StepRecord read = StepRecord::from_json(evaluated.to_json());
  EXPECT_EQ(read.evaluation->cross_entropy, 0.5);
  EXPECT_TRUE(std::isnan(read.evaluation->perplexity));
}

// Of a run that was begun before there was a window.
TEST(Metrics, ALineWithoutTheWindowIsReadAllTheSame) {
  auto line = record(0).to_json();
  line.erase("loss_window_mean");
  EXPECT_TRUE(std::isnan(StepRecord::from_json(line).loss_window_mean));
}

TEST(Metrics, WhatIsNotFiniteIsNull) {
  StepRecord bad = record(0);
  bad.expert = {};
  bad.loss = NAN;
  bad.kl = INFINITY;
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(bad.to_json().dump());
  for (const char* key : {"expert", "loss", "kl"}) EXPECT_TRUE(json.at(key).is_null()) << key;
  EXPECT_TRUE(std::isnan(StepRecord::from_json(json).loss));
}

TEST(Metrics, AFileIsCutToItsOffsetAndGrowsFromThere) {
  const TemporaryDirectory directory;
  const auto path = directory / "metrics.jsonl";
  std::uint64_t offset = 0;
  {
    MetricsFile file(path, 0);
    file.append(record(0));
    offset = file.sync();
    file.append(record(1));
  }
  MetricsFile file(path, offset);
  file.append(record(2));
  const auto records = read_metrics(path);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].step, 2);
  EXPECT_EQ(records[1].to_json(), record(2).to_json());
  EXPECT_THAT(message_of<FormatError>([&] { MetricsFile(path, 1 << 20); }),
              HasSubstr("when the checkpoint was written"));
}

TEST(Metrics, AnUnfinishedLastLineIsPassedOverABadLineNamed) {
  const TemporaryDirectory directory;
  const auto path = directory / "metrics.jsonl";
  const std::string line = record(0).to_json().dump() + "\n";
  write_file(path, line + line.substr(0, 20));
  EXPECT_EQ(read_metrics(path).size(), 1u);
  write_file(path, line + "{\"step\": 1}\n");
  EXPECT_THAT(message_of<FormatError>([&] { read_metrics(path); }), HasSubstr("metrics.jsonl:2: "));
}

}  // namespace
}  // namespace gladius
