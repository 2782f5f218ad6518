#include "gladius/train/run/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/train/run/kept_metrics.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

StepRecord metrics_record(std::int64_t step) {
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
      metrics_record(3).to_json().dump(),
      R"({"step":3,"expert":"q\"wen","loss":0.3333333333333333,"loss_running_mean":2.5,)"
      R"("loss_window_mean":1.5,"kl":0.1,"ce":7.0,"lr":0.0001,"grad_norm":null,"skipped_updates":2,"tokens":9,)"
      R"("tokens_per_s":4.5,"elapsed_s":2.0})");
}

TEST(Metrics, BadLinesAreCountedWhereThereAreAny) {
  StepRecord some = metrics_record(0);
  some.skipped_lines = 3;
  EXPECT_EQ(some.to_json().at("skipped_lines"), 3);
  EXPECT_EQ(StepRecord::from_json(some.to_json()).skipped_lines, 3);
  EXPECT_EQ(StepRecord::from_json(metrics_record(0).to_json()).skipped_lines, 0);
}

TEST(Metrics, PartsOfTheGradientAndMemoryStandWhereTheyWereLookedAt) {
  StepRecord some = metrics_record(0);
  some.grad_norms = {{"norm", 0.5}, {"layers.0", NAN}};
  some.memory_mib = 12.25;
  EXPECT_THAT(some.to_json().dump(),
              HasSubstr(R"("grad_norms":{"norm":0.5,"layers.0":null},"memory_mib":12.25})"));
  const StepRecord read = StepRecord::from_json(some.to_json());
  EXPECT_EQ(read.to_json(), some.to_json());
  EXPECT_EQ(read.memory_mib, 12.25);
  ASSERT_EQ(read.grad_norms.size(), 2u);
  EXPECT_EQ(read.grad_norms[0], (std::pair<std::string, double>("norm", 0.5)));
  EXPECT_TRUE(std::isnan(read.grad_norms[1].second));
  for (const nlohmann::ordered_json& wrong :
       {nlohmann::ordered_json(3), nlohmann::ordered_json::array(), nlohmann::ordered_json()}) {
    nlohmann::ordered_json json = metrics_record(0).to_json();
    json["grad_norms"] = wrong;
    EXPECT_THAT(message_of<FormatError>([&] { StepRecord::from_json(json); }),
                HasSubstr("not a line of metrics"));
  }
}

TEST(Metrics, AnEvaluationStandsInTheLineOfItsStep) {
  StepRecord evaluated = metrics_record(0);
  evaluated.evaluation = {
      .cross_entropy = 0.5, .perplexity = 1.625, .bits_per_byte = 0.25, .tokens = 70};
  EXPECT_THAT(evaluated.to_json().dump(),
              HasSubstr(R"("eval_cross_entropy":0.5,"eval_perplexity":1.625,)"
                        R"("eval_bits_per_byte":0.25,"eval_tokens":70})"));
  EXPECT_EQ(StepRecord::from_json(evaluated.to_json()).to_json(), evaluated.to_json());
  EXPECT_FALSE(StepRecord::from_json(metrics_record(0).to_json()).evaluation);
  evaluated.evaluation->perplexity = INFINITY;
  const StepRecord read = StepRecord::from_json(evaluated.to_json());
  EXPECT_EQ(read.evaluation->cross_entropy, 0.5);
  EXPECT_TRUE(std::isnan(read.evaluation->perplexity));
}

// Of data without a tokenizer, and of a run that was begun before there were any.
TEST(Metrics, AnEvaluationMayHaveNoBitsPerByte) {
  StepRecord evaluated = metrics_record(0);
  evaluated.evaluation = {.cross_entropy = 0.5, .perplexity = 1.625, .tokens = 70};
  auto line = evaluated.to_json();
  EXPECT_TRUE(line.at("eval_bits_per_byte").is_null());
  EXPECT_FALSE(StepRecord::from_json(line).evaluation->bits_per_byte);
  line.erase("eval_bits_per_byte");
  const StepRecord before = StepRecord::from_json(line);
  EXPECT_FALSE(before.evaluation->bits_per_byte);
  EXPECT_EQ(before.evaluation->tokens, 70);
}

// Of a run that was begun before there was a window.
TEST(Metrics, ALineWithoutTheWindowIsReadAllTheSame) {
  auto line = metrics_record(0).to_json();
  line.erase("loss_window_mean");
  EXPECT_TRUE(std::isnan(StepRecord::from_json(line).loss_window_mean));
}

TEST(Metrics, WhatIsNotFiniteIsNull) {
  StepRecord bad = metrics_record(0);
  bad.expert = {};
  bad.loss = NAN;
  bad.kl = INFINITY;
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(bad.to_json().dump());
  for (const char* key : {"expert", "loss", "kl"}) EXPECT_TRUE(json.at(key).is_null()) << key;
  EXPECT_TRUE(std::isnan(StepRecord::from_json(json).loss));
}

// A file that goes on as a checkpoint knew it.
class KeptMetricsFile : public ::testing::Test {
 protected:
  KeptMetricsFile() {
    MetricsFile file(path_);
    for (int step = 0; step < 3; ++step) file.append(metrics_record(step));
    mark_ = file.sync();
    whole_ = read_file(path_);
    file.append(metrics_record(3));
  }
  static std::string line(std::int64_t step) {
    return metrics_record(step).to_json().dump() + "\n";
  }
  // What is kept of `text`, and the warning.
  std::string keep(const std::string& text) {
    write_file(path_, text);
    const KeptMetrics kept = find_kept_metrics(path_, mark_, 3);
    EXPECT_EQ(read_file(path_), text);
    keep_metrics(path_, kept);
    warning_ = kept.warning;
    return read_file(path_);
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "metrics.jsonl",
                        aside_ = directory_ / "metrics.jsonl.damaged";
  MetricsMark mark_;
  std::string whole_, warning_;
};

TEST_F(KeptMetricsFile, IsCutToItsMarkAndGrowsFromThere) {
  EXPECT_EQ(mark_.bytes, whole_.size());
  EXPECT_EQ(keep(whole_ + line(3) + "{\"step\": 4, "), whole_);
  EXPECT_EQ(warning_, "");
  MetricsFile file(path_);
  file.append(metrics_record(3));
  EXPECT_EQ(read_file(path_), whole_ + line(3));
  EXPECT_EQ(file.sync().sha256, sha256_file(path_));
  EXPECT_FALSE(std::filesystem::exists(aside_));
}

TEST_F(KeptMetricsFile, CutAnywhereItKeepsTheLinesThatAreWhole) {
  for (std::size_t size = 0; size < whole_.size(); ++size) {
    const std::string cut = whole_.substr(0, size), kept = keep(cut);
    EXPECT_EQ(kept, cut.substr(0, cut.rfind('\n') + 1)) << size;
    const auto lines = std::ranges::count(kept, '\n');
    EXPECT_THAT(warning_, HasSubstr("lacks the lines of " + std::to_string(3 - lines) +
                                    " of the 3 steps so far (the first: step " +
                                    std::to_string(lines) + ")"));
    EXPECT_FALSE(std::filesystem::exists(aside_));
  }
  std::filesystem::remove(path_);
  EXPECT_THAT(find_kept_metrics(path_, mark_, 3).warning, HasSubstr("lines of 3 of the 3 steps"));
}

TEST_F(KeptMetricsFile, EditedInPlaceItIsNoticedAndKept) {
  std::string edited = whole_;
  edited[edited.find("0.333")] = '9';
  EXPECT_EQ(keep(edited), edited);
  EXPECT_THAT(warning_, HasSubstr("metrics.jsonl was changed by something else than this run"));
}

TEST_F(KeptMetricsFile, LinesThatAreNoneOfTheRunsAreSetAside) {
  const std::string garbage = "{\"step\": 1}\n";
  EXPECT_EQ(keep(line(0) + garbage + line(2) + line(3)), line(0) + line(2));
  EXPECT_THAT(warning_, AllOf(HasSubstr("lines of 1 of the 3 steps"), HasSubstr("step 1)"),
                              HasSubstr("set aside as metrics.jsonl.damaged")));
  EXPECT_EQ(read_file(aside_), line(0) + garbage + line(2) + line(3));
  EXPECT_EQ(keep("not JSON\n"), "");
  EXPECT_EQ(read_file(aside_), "not JSON\n");
}

TEST_F(KeptMetricsFile, OfAnOlderVersionIsTakenAsItIs) {
  mark_.sha256 = "";
  EXPECT_EQ(keep(whole_ + line(3)), whole_);
  EXPECT_EQ(warning_, "");
}

TEST(Metrics, AnUnfinishedLastLineIsPassedOverABadLineNamed) {
  const TemporaryDirectory directory;
  const auto path = directory / "metrics.jsonl";
  const std::string line = metrics_record(0).to_json().dump() + "\n";
  write_file(path, line + line.substr(0, 20));
  EXPECT_EQ(read_metrics(path).size(), 1u);
  write_file(path, line + "{\"step\": 1}\n");
  EXPECT_THAT(message_of<FormatError>([&] { read_metrics(path); }), HasSubstr("metrics.jsonl:2: "));
}

}  // namespace
}  // namespace gladius::train
