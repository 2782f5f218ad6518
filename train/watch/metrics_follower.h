// metrics.jsonl of a run that goes on.
#pragma once

#include <filesystem>
#include <vector>

#include "gladius/train/run/metrics.h"
#include "gladius/train/watch/line_follower.h"

namespace gladius::train {

/// What a file of metrics has beyond what was read before.
struct NewMetrics {
  bool started_over = false;  // forget what was read: `steps` are the file's first
  bool more = false;          // read again: there is more than was read at once
  std::vector<StepRecord> steps;
};

/// Reads a file as it grows (LineFollower). For one thread at a time.
class MetricsFollower {
 public:
  explicit MetricsFollower(std::filesystem::path path) : path_(path), lines_(std::move(path)) {}

  /// Complete lines only; none where there is no file. IoError; FormatError "FILE:LINE: ...", again
  /// with each call until the file is another.
  NewMetrics read();

 private:
  std::filesystem::path path_;
  LineFollower lines_;
};

}  // namespace gladius::train
