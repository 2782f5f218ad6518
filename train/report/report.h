// The model card of a run.
#pragma once

#include "gladius/train/report/document.h"
#include "gladius/train/report/run_record.h"

namespace gladius::train {

/// Identification, status, architecture, parameters, weights with checksums, memory, method,
/// configuration, hardware, timeline, losses with plots, convergence, files, tensor list, raw
/// losses. The same headings at any time of a run.
Document model_card(const RunRecord& record);

/// Writes report.md and report.html; at any time during a run or after it. IoError, FormatError.
void write_report(const RunPaths& paths);

}  // namespace gladius::train
