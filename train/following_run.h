// A run as the ranks from 1 on have it: they compute, and write nothing.
#pragma once

#include <filesystem>

#include "gladius/train/loop/ranks.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

/// Rank 0, before its first step: where the run is, for all, and what of its settings was settled.
void send_start(Ranks& ranks, const Checkpoint& checkpoint, const RunConfig& config);

/// Rank 0, where the run has nothing to compute.
void send_no_start(Ranks& ranks);

/// The other ranks: reads what the run file names, begins where rank 0 is, and computes with it
/// until it ends the run. The experts' outputs are kept (teacher_cache) in a directory of this
/// rank's: teacher_cache.path or OUT/teacher-cache, and in it rank-N. Errors as of distill.
void follow(const RunConfig& config, const std::filesystem::path& out, Ranks& ranks,
            const RunEvents& events);

}  // namespace gladius::train
