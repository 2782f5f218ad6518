// The directory of a run.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "gladius/train/run/directory_lock.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Where a run's files are.
struct RunPaths {
  std::filesystem::path directory;

  /// What the run is called: its directory's last name.
  std::string name() const;
  /// IoError if there is no run.
  void require_run() const;

  std::filesystem::path run_json() const { return directory / "run.json"; }
  std::filesystem::path inputs() const { return directory / "inputs.json"; }
  std::filesystem::path student_config() const { return directory / "student_config.json"; }
  /// What the student began with, where `student.init_from` says; see init_from.h.
  std::filesystem::path init_from() const { return directory / "init_from.json"; }
  std::filesystem::path metrics() const { return directory / "metrics.jsonl"; }
  /// What the student answers to `sample_prompts`; see samples.h.
  std::filesystem::path samples() const { return directory / "samples.jsonl"; }
  /// TensorBoard looks for files that are named like this.
  std::filesystem::path events() const { return directory / "events.out.tfevents.gladius"; }
  /// What asks the process that runs here to stop; see stop_request.h.
  std::filesystem::path stop_request() const { return directory / "stop"; }
  std::filesystem::path timeline() const { return directory / "timeline.jsonl"; }
  std::filesystem::path environment() const { return directory / "environment.json"; }
  /// What the data's examples come to; see data_log.h.
  std::filesystem::path data() const { return directory / "data.json"; }
  std::filesystem::path evaluation() const { return directory / "evaluation.json"; }
  /// What the trained student answers to `eval_suite`; see suite_check.h.
  std::filesystem::path suite() const { return directory / "suite.json"; }
  std::filesystem::path expert_evaluations() const { return directory / "expert_evaluations.json"; }
  /// How experts with another vocabulary read a text; see alignment_file.h.
  std::filesystem::path alignment() const { return directory / "alignment.json"; }
  std::filesystem::path teacher_cache() const { return directory / "teacher-cache"; }
  std::filesystem::path checkpoints() const { return directory / "checkpoints"; }
  std::filesystem::path model() const { return directory / "model"; }
  /// What model/ is made of; see finished_model.h.
  std::filesystem::path model_manifest() const { return directory / "model.json"; }
  /// The student of the best evaluation, where `keep_best` asks for it; see best_model.h.
  std::filesystem::path best() const { return directory / "best"; }
  /// What is left for inspection when updates fail; see snapshot.h.
  std::filesystem::path snapshot() const { return directory / "nonfinite"; }
  std::filesystem::path report_markdown() const { return directory / "report.md"; }
  std::filesystem::path report_html() const { return directory / "report.html"; }
};

/// What makes a run the one it is; written once, when it begins.
struct RunIdentity {
  nlohmann::ordered_json run;                  // run.json: the resolved run file
  nlohmann::ordered_json inputs;               // inputs.json: see describe_inputs
  nlohmann::ordered_json student_config;       // the student's config.json
  nlohmann::ordered_json init_from = nullptr;  // init_from.json; null: there is none
};

/// A run's directory while it is being written: one process at a time (flock on DIR/lock, which
/// names the process), and one thread at a time.
class RunDirectory {
 public:
  /// For a new run. The directory is made, or is empty; IoError if it holds anything, since an
  /// earlier run is never overwritten. run.json comes last: what a process leaves that was killed
  /// before is no run, and is written over.
  static RunDirectory create(const std::filesystem::path& path, const RunIdentity& identity);
  /// To look at a run that is to be resumed; changes nothing. IoError if there is none, or if a
  /// file that the run would append to is a symbolic link or cannot be read.
  static RunDirectory open(const std::filesystem::path& path);
  /// What the run was begun with, or last resumed with. IoError, FormatError, ConfigError.
  RunConfig config() const;
  /// Makes it the run of `identity` (what is null there stays), where it is another, and clears
  /// away what processes that were killed have left. IoError.
  void go_on(const RunIdentity& identity);

  const RunPaths& paths() const { return paths_; }
  /// What inputs.json holds. IoError, FormatError also for what cannot be that.
  nlohmann::ordered_json inputs() const;
  /// Adds a line to timeline.jsonl: the time and what happened.
  void note(std::string_view event) const;

 private:
  explicit RunDirectory(const std::filesystem::path& path);

  RunPaths paths_;
  DirectoryLock lock_;
};

}  // namespace gladius::train
