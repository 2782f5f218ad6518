// Whether all ranks of a run have the same of everything that decides what it computes.
#pragma once

#include "gladius/train/loop/ranks.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Compares the program, the settings of the run file and the files that it names (fingerprint.h;
/// paths may differ) by their SHA-256 with rank 0's. ConfigError on every rank, which names the
/// first rank that differs, its host, and the file; also where a group has fewer micro-batches than
/// there are ranks. IoError, FormatError of a file that cannot be read.
void require_same_inputs(Ranks& ranks, const RunConfig& config);

}  // namespace gladius::train
