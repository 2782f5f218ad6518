// What a run directory says about its run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gladius/train/metrics.h"
#include "gladius/train/run_config.h"
#include "gladius/train/run_directory.h"
#include "gladius/train/training_plan.h"

namespace gladius {

struct TensorRecord {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;
};

struct WeightFile {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct TimelineEntry {
  std::string time, event;
};

/// Everything a report shows, read at one moment; a run in progress has less of it.
struct RunRecord {
  std::filesystem::path directory;
  RunConfig config;
  nlohmann::ordered_json model_config;  // null where it cannot be read
  std::vector<StepRecord> metrics;
  std::vector<TimelineEntry> timeline;
  nlohmann::ordered_json environment;  // empty where there is none
  nlohmann::ordered_json evaluation;
  std::vector<WeightFile> weight_files;  // of model/, or of the newest checkpoint
  std::vector<TensorRecord> tensors;
  bool complete = false;

  TrainingPlan plan() const { return TrainingPlan(config); }
  std::int64_t steps() const { return static_cast<std::int64_t>(metrics.size()); }

  /// IoError if the directory holds no run; FormatError for a file that is malformed.
  static RunRecord read(const RunPaths& paths);
};

}  // namespace gladius
