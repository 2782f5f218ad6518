// What a run directory says about its run.
#pragma once

#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/config.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_directory.h"
#include "gladius/train/run/samples.h"
#include "gladius/train/run/timeline.h"
#include "gladius/train/run/training_plan.h"

namespace gladius::train {

struct WeightFile {
  std::string name;  // within the run directory
  std::string sha256;
};

struct ModelFile {
  std::string name;
  std::uint64_t bytes = 0;
};

/// Everything a report shows, read at one moment; a run in progress has less of it.
struct RunRecord {
  std::filesystem::path directory;
  RunConfig config;
  std::optional<ModelConfig> model;  // none where it cannot be read
  std::vector<StepRecord> metrics;
  std::vector<TimelineEntry> timeline;
  nlohmann::ordered_json environment;         // empty where there is none
  nlohmann::ordered_json init_from;           // see init_from.h
  nlohmann::ordered_json evaluation;          // of the trained student of a complete run
  nlohmann::ordered_json suite;               // its answers to eval_suite
  std::optional<StepSamples> samples;         // the newest
  nlohmann::ordered_json best;                // evaluation of the student in best/
  nlohmann::ordered_json expert_evaluations;  // see expert_evaluations.h
  nlohmann::ordered_json data;                // see data_log.h
  std::vector<SafetensorsFile> weights;       // of model/, or of the newest checkpoint, or none yet
  std::vector<WeightFile> weight_files;       // the same
  std::vector<ModelFile> model_files;         // of model/
  std::optional<std::time_t> last_change;     // of the metrics
  bool complete = false;                      // model/ is there, whole and of all steps

  std::string name() const;
  TrainingPlan plan() const { return TrainingPlan(config); }
  /// Done so far; the metrics may lack some of them.
  std::int64_t steps() const { return metrics.empty() ? 0 : metrics.back().step + 1; }
  /// Of these steps; nothing where the metrics lack some of them.
  std::optional<std::int64_t> trained_tokens() const;

  /// IoError if the directory holds no run; FormatError for a file that is malformed.
  static RunRecord read(const RunPaths& paths);
  /// The same without weights and files, of a run whose steps are done and whose student is
  /// evaluated, whether model/ is there yet or not.
  static RunRecord read_results(const RunPaths& paths);
};

}  // namespace gladius::train
