// What `distill` shows while it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bar.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/training_plan.h"
#include "output.h"

namespace gladius::cli {

/// On standard error: a bar that is redrawn after every step if that is a terminal (in its width),
/// else a plain line every `log_every` steps. On standard output every `log_every` steps a row of
/// the model card's table, or the step's record as a line of JSON. A stream that can no longer be
/// written, such as a terminal that was closed, stops neither.
class Progress {
 public:
  struct Options {
    std::int64_t log_every = 10;
    bool json = false;
    bool quiet = false;  // neither bar nor plain lines
  };
  explicit Progress(const Options& options);

  /// Where the run is when this process begins its steps.
  void begin(const train::TrainingPlan& plan, const train::TrainerState& state);
  void step(const train::StepRecord& record);
  /// The bar says that a model is being evaluated, until the next step.
  void evaluating(const std::string& what);
  /// A line on standard error, above the bar.
  void message(const std::string& text);
  /// Why standard output has not all of the results, if so.
  const std::optional<OutputError>& lost_output() const { return lost_output_; }

 private:
  void print_result(const train::StepRecord& record);
  void print_row(const std::string& text);

  Options options_;
  bool terminal_;
  Bar bar_;
  std::int64_t total_steps_ = 0;
  train::TrainerState before_;        // this process's first step
  std::int64_t done_ = 0;             // steps
  std::optional<double> first_loss_;  // that changes are counted from
  std::optional<double> validation_;  // cross-entropy of the last evaluation
  bool header_shown_ = false;
  std::optional<OutputError> lost_output_;
};

}  // namespace gladius::cli
