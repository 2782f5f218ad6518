// What a resumed run keeps of its metrics.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "gladius/train/run/metrics.h"

namespace gladius::train {

/// Lines of metrics.jsonl for the steps before a checkpoint. The weights do not depend on them, so
/// what was done to the file never keeps a run from resuming.
struct KeptMetrics {
  std::uint64_t bytes = 0;           // they are the file's first ones,
  std::optional<std::string> lines;  // or these, and the file is set aside
  std::string warning;               // what is wrong with the file; empty: nothing
};

/// Finds the lines of the first `steps` steps. Where the file's beginning is not the `mark`'s,
/// every line that can be read and has its step in its turn is kept. Changes nothing. IoError.
KeptMetrics find_kept_metrics(const std::filesystem::path& metrics, const MetricsMark& mark,
                              std::int64_t steps);

/// The same of a complete run, whose file ends where `mark` does.
KeptMetrics find_complete_metrics(const std::filesystem::path& metrics, const MetricsMark& mark,
                                  std::int64_t steps);

/// Leaves those lines in the file. A file with other lines between them is first renamed to
/// metrics.jsonl.damaged. IoError.
void keep_metrics(const std::filesystem::path& metrics, const KeptMetrics& kept);

}  // namespace gladius::train
