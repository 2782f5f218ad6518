// model/: the student that a run has come to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "gladius/models/language_model.h"
#include "gladius/train/run/file_sums.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::train {

/// The model's card, of the directory that holds the rest of the model.
using WriteCard = std::function<std::string(const std::filesystem::path& model)>;
inline constexpr const char* kCard = "README.md";

/// Writes model/ whole or not at all, with its card, in place of an earlier one, and before it
/// model.json: the run's steps, size and SHA-256 of each of its files, and those of the run's
/// metrics and evaluations, which are written by then. IoError.
void save_finished_model(const RunPaths& paths, const LanguageModel& model,
                         const StudentConfig& config, std::int64_t steps,
                         const MetricsMark& metrics, const WriteCard& card);

/// Writes the card of a whole model again, unless a hand has changed it (model.json says what it
/// was; the model is whole with any card, and without). IoError.
void renew_card(const RunPaths& paths, const WriteCard& card);

/// How a run's model stands.
enum class ModelStatus {
  none,
  damaged,         // a file is missing or another
  of_fewer_steps,  // whole, of the run before its length was changed
  whole
};

struct FinishedModel {
  ModelStatus status = ModelStatus::none;
  std::string reason = {};   // of a damaged one: what is wrong with it
  MetricsMark metrics = {};  // of the complete run; no sum where it is not known
  // Of a whole one: what is wrong with the evaluations (of the student and the experts) and with
  // best/; empty: nothing, or it is not known.
  std::string wrong_evaluations = {}, wrong_best = {};
};

/// Looks at the model of a run of `steps` steps. One without model.json, as earlier versions left
/// it, is whole if its configuration and weights can be opened. IoError.
FinishedModel look_at_model(const RunPaths& paths, std::int64_t steps, Look look);

/// Renames a damaged model to model.damaged, and says so to `warn`; an empty one is removed.
/// IoError.
void set_aside_model(const RunPaths& paths, const std::string& reason,
                     const std::function<void(const std::string&)>& warn);

}  // namespace gladius::train
