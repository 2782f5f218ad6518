// A run as the live page shows it.
#pragma once

#include <array>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gladius/train/run/run_directory.h"
#include "gladius/train/watch/curve.h"
#include "gladius/train/watch/metrics_follower.h"
#include "gladius/train/watch/samples_follower.h"

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

  /// For the page: the run's name, its experts' stages, the last step as in metrics.jsonl, the
  /// memory that was recorded last, the time left in seconds as the last steps took it, whether it
  /// is complete, has stopped or is asked to, how many samples there are, and what is wrong with
  /// its files. `generation` rises when what was read before is no longer so.
  nlohmann::ordered_json summary() const;
  /// JSON: {"generation", "series": {NAME: [[step, mean, least, largest], ...]}} of each quantity,
  /// by its name in metrics.jsonl ("grad_norms.layers.0"; of such parts a quarter of the points);
  /// `suite_all_right` is the part of the cases.
  std::string series(StepRange range, std::int64_t most) const;
  /// SamplesFollower::at().
  nlohmann::ordered_json samples(std::int64_t step) const { return samples_.at(step); }
  /// alignment.json, or null.
  const nlohmann::ordered_json& alignment() const { return alignment_; }
  /// Whether it can be asked to stop (stop_request.h), as far as its files say.
  bool is_going_on() const { return last_ && !complete_ && !stopped_; }
  const RunPaths& paths() const { return paths_; }

 private:
  void read_plan();
  void read_metrics(Update& update);
  void read_alignment();
  void look_at_end();
  void add(const StepRecord& record);
  std::optional<double> seconds_left() const;

  RunPaths paths_;
  MetricsFollower follower_;
  SamplesFollower samples_;
  // Of files when they were read.
  std::filesystem::file_time_type plan_time_ = {}, alignment_time_ = {}, timeline_time_ = {};
  nlohmann::ordered_json stages_, alignment_;
  std::int64_t total_steps_ = 0, generation_ = 0, alignments_read_ = 0;
  std::array<Curve, 12> curves_;
  std::vector<std::pair<std::string, Curve>> part_norms_;  // of grad_norms
  std::deque<std::pair<std::int64_t, double>> latest_;     // steps, and the seconds at their ends
  std::optional<StepRecord> last_;
  std::optional<double> memory_mib_;  // that was recorded last
  std::string error_;
  bool complete_ = false, stopped_ = false, stop_requested_ = false;
};

}  // namespace gladius::train
