// What a run reads before it begins.
#pragma once

#include <memory>
#include <optional>

#include "gladius/models/language_model.h"
#include "gladius/train/data/batch_stream.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/loop/init_from.h"
#include "gladius/train/loop/student_samples.h"
#include "gladius/train/loop/suite_check.h"
#include "gladius/train/run/data_log.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

struct RunInputs {
  std::shared_ptr<LanguageModel> student;  // as it begins
  std::optional<InitFromSummary> init_from;
  Dataset examples;
  std::optional<Dataset> eval_examples;
  DataLog data_log;
  std::optional<SuiteCheck> suite;
  std::optional<StudentSamples> samples;
  std::shared_ptr<const Example> shown_text;  // for experts with another vocabulary, else null
};

/// Reads and checks everything that the run file names, so that what is wrong shows before anything
/// is written: vocabularies, lengths, data, labels, memory, the student. IoError, FormatError,
/// ConfigError; what is not as it should be, and no error, goes to `events`.
RunInputs read_inputs(const RunConfig& config, const RunEvents& events);

/// As the run file says.
BatchOptions batch_options(const RunConfig& config);

}  // namespace gladius::train
