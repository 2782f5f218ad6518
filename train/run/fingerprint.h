// Whether the files that a run was begun with are still the same.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Size and SHA-256 of every file that decides what the run computes: {"data.train": {"FILE":
/// {"bytes": ..., "sha256": ...}}, "student.config": ..., "student.init": ..., "student.tokenizer":
/// ..., "experts.0.model": ...}. Weights are hashed whole: training reads them anyway, so the bytes
/// come from the disk once, and a size and time, or some of the bytes, say nothing of the rest.
/// data.eval is left out, as it may change. IoError, FormatError.
nlohmann::ordered_json describe_inputs(const RunConfig& config);

/// Compares those of the run's beginning with what there is now. IoError for a file that is gone,
/// ConfigError for one that has changed or was not there, naming the key and the file. Those of
/// student.init_from are not looked at where `config` has none: a checkpoint has all of it.
void check_inputs(const nlohmann::ordered_json& before, const RunConfig& config);

}  // namespace gladius::train
