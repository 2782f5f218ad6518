// How a run does on the data that it does not learn from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gladius/train/data/dataset.h"
#include "gladius/train/loop/best_model.h"
#include "gladius/train/loop/evaluate.h"
#include "gladius/train/loop/expert_evaluations.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_directory.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

/// Whether the trained student of a complete run, begun as `before`, has another evaluation (or
/// none) than that of `now`.
bool is_evaluation_outdated(const RunConfig& before, const RunConfig& now, const RunPaths& paths);

/// The evaluations of a run on `data.eval`: of the student every `eval_every` steps and at the end,
/// and of each expert once. They only read the weights: a run with them has the same weights, to
/// the bit, as one without. Each can be ended by a stop, and is then made again when the run goes
/// on.
class Validation {
 public:
  /// `data` may be none, and then nothing is ever due.
  Validation(const RunConfig& config, std::optional<Dataset> data, const RunPaths& paths,
             const RunEvents& events);

  /// From here on the run's directory is changed. IoError.
  void begin() const { experts_.remove_others(); }
  /// Whether `eval_every` says so when `done` of `total` steps are done, or they are the last.
  bool is_time(std::int64_t done, std::int64_t total) const;
  /// Whether the student is to be evaluated then: whether there is data, too.
  bool due(std::int64_t done, std::int64_t total) const;
  /// Evaluates the student as step number `step` has left it, and keeps it if it is the best.
  /// Nothing if a stop was asked for. IoError, FormatError.
  std::optional<StepEvaluation> evaluate_student(const LanguageModel& student, std::int64_t step);
  /// Says what a step's evaluation came to.
  void tell(const StepRecord& record) const;

  /// Evaluates an expert whose vocabulary is the student's, unless that is known already; false if
  /// a stop was asked for. A failure is a warning: nothing that the run makes depends on it.
  bool evaluate_expert(const ExpertConfig& expert);

  /// Writes evaluation.json of the trained student and tells it beside the experts'; without data
  /// removes one that is there. False if a stop was asked for. IoError.
  bool finish(const LanguageModel& student);

  /// The experts are to be evaluated again.
  void distrust_experts() { experts_.distrust(); }

  /// The best so far, for a checkpoint.
  const std::optional<BestStep>& best() const { return best_.best(); }
  /// Takes a checkpoint's best in a run of `total` steps.
  void restore(const std::optional<BestStep>& best, std::int64_t total);

 private:
  std::optional<Evaluation> evaluate(const LanguageModel& model, const std::string& what) const;
  nlohmann::ordered_json describe(const Evaluation& evaluation) const;

  const RunConfig& config_;
  std::optional<Dataset> data_;
  RunPaths paths_;
  const RunEvents& events_;
  nlohmann::ordered_json settings_;  // that decide what an evaluation comes to
  std::string data_id_;              // of files and settings
  BestModel best_;
  ExpertEvaluations experts_;
  std::optional<Evaluation> last_;  // of the student by this process
};

}  // namespace gladius::train
