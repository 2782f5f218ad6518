// How the run that a model comes from has read its data.
#pragma once

#include <filesystem>
#include <optional>

#include "gladius/train/run/run_config.h"

namespace gladius::train {

struct RunSettings {
  std::filesystem::path file;  // run.json
  std::int64_t max_seq_len = 512;
  LossOn loss_on = LossOn::all;
};

/// Of a run directory, or what lies in one: model/, best/, nonfinite/model/ or a checkpoint.
/// Nothing for any other place; FormatError for a run.json that does not say.
std::optional<RunSettings> settings_of_run(const std::filesystem::path& model);

}  // namespace gladius::train
