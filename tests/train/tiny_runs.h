// Runs of `distill` in a test, and what they come to.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gladius/train/distill.h"
#include "gladius/train/run/metrics.h"
#include "train/tiny_models.h"

namespace gladius::testing {

/// Runs until `stop_after` steps are done in all; negative: to the end. Warnings go to `warnings`.
inline train::RunOutcome execute(const train::RunConfig& config, const std::filesystem::path& out,
                                 bool resume = false, std::int64_t stop_after = -1,
                                 std::vector<std::string>* warnings = nullptr) {
  std::int64_t steps = 0;
  return train::distill(config, out, resume,
                        {.begin = [&](const train::TrainingPlan&,
                                      const train::TrainerState& state) { steps = state.step; },
                         .step = [&](const train::StepRecord&) { ++steps; },
                         .info = [](const std::string&) {},
                         .warn =
                             [&](const std::string& text) {
                               if (warnings) warnings->push_back(text);
                             },
                         .stop_requested = [&] { return steps == stop_after; }});
}

inline std::string weights(const std::filesystem::path& out) {
  return read_file(out / "model" / "model.safetensors");
}

/// The directory of the checkpoint after so many steps, in checkpoints/.
inline std::string checkpoint_name(std::int64_t steps) {
  const std::string digits = std::to_string(steps);
  return "step-" + std::string(8 - digits.size(), '0') + digits;
}

/// Every file of a directory and what is in it.
inline std::map<std::string, std::string> contents(const std::filesystem::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    files[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path()) : "";
  }
  return files;
}

/// The lines without what the clock decides.
inline std::vector<std::string> timeless_metrics(const std::filesystem::path& out) {
  std::vector<std::string> lines;
  for (const train::StepRecord& record : train::read_metrics(out / "metrics.jsonl")) {
    Json json = record.to_json();
    json.erase("tokens_per_s");
    json.erase("elapsed_s");
    json.erase("memory_mib");
    json.erase("waiting_share");
    json.erase("on_policy_s");
    json.erase("on_policy_tokens_per_s");
    lines.push_back(json.dump());
  }
  return lines;
}

/// Resumes the run in `out`, which ends as `whole` did: with the same weights and metrics to the
/// bit.
inline void expect_resumes_as(const train::RunConfig& config, const std::filesystem::path& out,
                              const std::filesystem::path& whole) {
  EXPECT_TRUE(execute(config, out, true).complete);
  EXPECT_EQ(weights(out), weights(whole));
  EXPECT_EQ(timeless_metrics(out), timeless_metrics(whole));
}

}  // namespace gladius::testing
