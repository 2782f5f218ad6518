// The directory of a run.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/tensor/io/file_descriptor.h"

namespace gladius {

/// Where a run's files are.
struct RunPaths {
  std::filesystem::path directory;

  std::filesystem::path run_json() const { return directory / "run.json"; }
  std::filesystem::path metrics() const { return directory / "metrics.jsonl"; }
  std::filesystem::path timeline() const { return directory / "timeline.jsonl"; }
  std::filesystem::path environment() const { return directory / "environment.json"; }
  std::filesystem::path evaluation() const { return directory / "evaluation.json"; }
  std::filesystem::path checkpoints() const { return directory / "checkpoints"; }
  std::filesystem::path model() const { return directory / "model"; }
  std::filesystem::path report_markdown() const { return directory / "report.md"; }
  std::filesystem::path report_html() const { return directory / "report.html"; }
};

/// A run's directory while it is being written: one process at a time (flock on DIR/lock).
class RunDirectory {
 public:
  /// For a new run, with `run` (a resolved run file) as its run.json. The directory is made, or is
  /// empty; IoError if it holds anything, since an earlier run is never overwritten.
  static RunDirectory create(const std::filesystem::path& path, const nlohmann::ordered_json& run);
  /// To go on with a run. IoError if there is none; ConfigError if `run` is another one (see
  /// check_resumable). What may change is written to run.json and given to `changed`.
  static RunDirectory resume(const std::filesystem::path& path, const nlohmann::ordered_json& run,
                             std::vector<std::string>& changed);

  const RunPaths& paths() const { return paths_; }
  /// Adds a line to timeline.jsonl: the time and what happened.
  void note(std::string_view event) const;

 private:
  explicit RunDirectory(const std::filesystem::path& path);

  RunPaths paths_;
  FileDescriptor lock_;
};

}  // namespace gladius
