// The model card of a run.
#pragma once

#include "gladius/train/report/document.h"
#include "gladius/train/report/run_record.h"

namespace gladius {

/// Identification, status, parameters, weights with checksums, method, configuration, hardware,
/// timeline, losses with plots, convergence, tensor list, raw losses.
Document model_card(const RunRecord& record);

/// Writes report.md and report.html; at any time during a run or after it. IoError, FormatError.
void write_report(const RunPaths& paths);

}  // namespace gladius
