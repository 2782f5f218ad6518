// What somebody has changed, lost or made up in a run's directory.
#pragma once

#include "faults/tally.h"
#include "support/random.h"

namespace gladius::faults {

/// Edits metrics.jsonl, the values of state.json (with a manifest that fits) and model/, removes
/// checkpoints and files beside them; the run must go on to the same weights and say what was
/// wrong, or be refused in a line where it cannot.
void edit_records(Tally& tally, testing::Rng& rng, bool is_short);

}  // namespace gladius::faults
