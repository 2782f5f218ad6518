// The point that a run resumes from.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/kept_metrics.h"
#include "gladius/train/run/run_directory.h"

namespace gladius::train {

/// What was found in a run's directory, before anything in it is changed.
struct ResumePoint {
  std::optional<FoundCheckpoint> found;           // none: the run begins again
  std::vector<std::filesystem::path> superseded;  // later checkpoints, of another length of the run
  KeptMetrics metrics;

  std::int64_t step() const { return found ? found->checkpoint.state.step : 0; }
};

/// Finds the newest checkpoint of at most `last_step` steps that is whole and that `use` (which may
/// throw) takes, and what goes with it. Changes nothing. IoError; FormatError if none can be used,
/// or if there are none although there have been.
ResumePoint find_resume_point(const RunPaths& paths, std::int64_t last_step,
                              const std::function<void(const Checkpoint&)>& use);

/// Puts the directory back to that point of the run: sets aside what cannot be used and removes
/// what came later. `warn` is told what is wrong. IoError.
void return_to(const ResumePoint& point, const RunPaths& paths, std::int64_t keep_checkpoints,
               const std::function<void(const std::string&)>& warn);

}  // namespace gladius::train
