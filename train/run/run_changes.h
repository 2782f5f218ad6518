// A run that is to resume with another run file than it began with.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// How two runs agree.
struct CommonSteps {
  std::int64_t steps = 0;  // the first steps that are the same in both, to the bit
  std::string difference;  // why no more are; empty if all that were asked for are
};

/// Compares the first `limit` steps of runs that differ in their lengths alone: the experts, the
/// groups that make an update and the learning rates.
CommonSteps common_steps(const RunConfig& before, const RunConfig& after, std::int64_t limit);

/// FormatError if a checkpoint that was written with the resolved run file `run` is not of
/// `config`'s run (but for what may change). One of an earlier version has null there, and is
/// taken.
void require_same_run(const nlohmann::ordered_json& run, const RunConfig& config);

/// What may become of a run.
struct RunChanges {
  std::vector<std::string> lines;  // "log_every 10 -> 5", each key that has changed
  bool of_length = false;          // experts.N.steps or steps are among them
  std::int64_t usable_steps = 0;   // the checkpoint to resume from has at most so many
};

/// Compares run files. `checkpoints` are the steps of those there are, in order. What may change
/// is in the description of the keys (run_keys.h); the length may if the steps so far (but for the
/// last group, and with a checkpoint before that) would have been the same. ConfigError with the
/// old and new values of what makes it another run.
RunChanges check_resumable(const RunConfig& before, const RunConfig& after,
                           const std::vector<std::int64_t>& checkpoints);

}  // namespace gladius::train
