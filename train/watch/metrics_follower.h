// metrics.jsonl of a run that goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "gladius/train/run/metrics.h"

namespace gladius::train {

/// What a file of metrics has beyond what was read before.
struct NewMetrics {
  bool started_over = false;  // forget what was read: `steps` are the file's first
  bool more = false;          // read again: there is more than was read at once
  std::vector<StepRecord> steps;
};

/// Reads a file as it grows. A run that resumes cuts its file to a checkpoint and writes other
/// lines, which is noticed by the end of what was read. For one thread at a time.
class MetricsFollower {
 public:
  explicit MetricsFollower(std::filesystem::path path) : path_(std::move(path)) {}

  /// Complete lines only, of 4 MiB at once; none where there is no file. IoError; FormatError
  /// "FILE:LINE: ...", again with each call until the file is another.
  NewMetrics read();

 private:
  bool is_same(std::uint64_t size) const;
  std::string bytes(std::uint64_t begin, std::uint64_t count) const;

  std::filesystem::path path_;
  std::uint64_t offset_ = 0;  // of the first byte that was not read
  std::int64_t lines_ = 0;    // read before it
  std::string end_;           // of what was read
};

}  // namespace gladius::train
