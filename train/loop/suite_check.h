// How a run's student does on a suite of cases.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/train/behaviour/suite.h"
#include "gladius/train/behaviour/suite_evaluation.h"
#include "gladius/train/loop/student_prompts.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

/// `eval_suite`: the student answers its cases every `eval_every` steps and at the end, greedily,
/// by the chat template of `student.tokenizer`, in the tokens of an `eval --suite` that is asked
/// for nothing else. It only reads the weights, as Validation. For one thread at a time.
class SuiteCheck {
 public:
  /// Reads the suite and makes its prompts. IoError, FormatError; ConfigError where the run has no
  /// tokenizer, or none with a chat template.
  SuiteCheck(const RunConfig& config, const RunEvents& events);

  /// Nothing if a stop was asked for.
  std::optional<StepSuite> ask(const LanguageModel& student, const RunEvents& events);
  /// Writes what the trained student answers, each case with its verdict, as `eval --suite --json
  /// --failures` does, and under "experts" what those with the student's vocabulary score:
  /// [{"expert", "model", "cases", ..., "categories"}]. False if a stop was asked for. IoError.
  bool finish(const LanguageModel& student, const std::vector<ExpertConfig>& experts,
              const std::filesystem::path& file, const RunEvents& events);

 private:
  // Nothing if a stop was asked for.
  std::optional<SuiteEvaluation> answers_of(const LanguageModel& model, const std::string& who,
                                            const RunEvents& events) const;
  std::optional<nlohmann::ordered_json> ask_experts(const std::vector<ExpertConfig>& experts,
                                                    const RunEvents& events) const;

  Suite suite_;
  StudentPrompts prompts_;
  std::optional<SuiteEvaluation> last_;  // of the student by this process
};

}  // namespace gladius::train
