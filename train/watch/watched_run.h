// A run as the live page shows it.
#pragma once

#include <array>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "gladius/train/run/run_directory.h"
#include "gladius/train/watch/curve.h"
#include "gladius/train/watch/metrics_follower.h"

namespace gladius::train {

/// Follows a run's directory, which it only reads. For one thread at a time.
class WatchedRun {
 public:
  /// IoError if the directory holds no run; FormatError or ConfigError for its run.json.
  explicit WatchedRun(const RunPaths& paths);

  struct Update {
    bool changed = false;
    bool more = false;  // there is more than was read at once
  };
  /// Reads what has come since.
  Update update();

  /// For the page: the run's name, its experts' stages, the last step as in metrics.jsonl, the time
  /// left in seconds as the last steps took it, whether it is complete, and what is wrong with its
  /// files. `generation` rises when what was read before is no longer so.
  nlohmann::ordered_json summary() const;
  /// Of each quantity, by the name that it has in metrics.jsonl, a list of [step, mean, least,
  /// largest]; `suite_all_right` is the part of the cases.
  nlohmann::ordered_json series(StepRange range, std::int64_t most) const;

 private:
  void read_plan();
  void read_metrics(Update& update);
  void add(const StepRecord& record);
  std::optional<double> seconds_left() const;

  RunPaths paths_;
  MetricsFollower follower_;
  std::filesystem::file_time_type plan_time_ = {};  // of run.json, when it was read
  nlohmann::ordered_json stages_;
  std::int64_t total_steps_ = 0, generation_ = 0;
  std::array<Curve, 11> curves_;
  std::deque<std::pair<std::int64_t, double>> latest_;  // steps, and the seconds at their ends
  std::optional<StepRecord> last_;
  std::string error_;
  bool complete_ = false;
};

}  // namespace gladius::train
