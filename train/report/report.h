// The model card of a run.
#pragma once

#include "gladius/train/report/document.h"
#include "gladius/train/report/run_record.h"

namespace gladius::train {

/// First what the run has come to: results, plots, status; then data, method, configuration,
/// losses, convergence, timeline, architecture, parameters, memory; at the end identification,
/// hardware, weights with checksums, files, tensor list, raw losses. The same headings at any time
/// of a run.
Document model_card(const RunRecord& record);

/// Writes report.md, its plots beside it (report-loss.svg, ...) and report.html; at any time during
/// a run or after it. Of a complete run the same bytes each time. IoError, FormatError.
void write_report(const RunPaths& paths);

}  // namespace gladius::train
