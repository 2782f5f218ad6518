// README.md of a run's model: its card as the hub of Hugging Face shows it.
#pragma once

#include <filesystem>
#include <string>

#include "gladius/train/report/run_record.h"

namespace gladius::train {

/// Front matter, what the model is, training, results, how to use it, limits, license. `model` is
/// the directory of the rest of the model: whether it has a tokenizer and a chat template decides
/// how it is used. No times, speeds or directories: the same run makes the same card.
std::string hub_card(const RunRecord& record, const std::filesystem::path& model);

/// The same of a run whose steps are done (RunRecord::read_results). Looks at the configurations of
/// the models that the run file names. IoError, FormatError.
std::string hub_card(const RunPaths& paths, const std::filesystem::path& model);

}  // namespace gladius::train
