// A small run, what it comes to undisturbed, and whether a disturbed one comes to the same.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "faults/process.h"
#include "train/tiny_models.h"

namespace gladius::faults {

/// Of the runs whose calls and records are all tried: steps of each expert, and between
/// checkpoints.
constexpr std::int64_t kSteps = 7, kEvery = 4;

using Environment = std::map<std::string, std::string>;

class Experiment {
 public:
  /// Makes the inputs of a run on two experts of `steps` steps each, which is evaluated every 3
  /// steps and keeps the best, and runs it undisturbed.
  Experiment(std::int64_t steps, std::int64_t checkpoint_every);

  /// The command that begins the run in `out`, or goes on with what is there.
  std::vector<std::string> command(const std::filesystem::path& out) const;
  /// The same as a process; `environment` for the preloaded library.
  Ending run(const std::filesystem::path& out, const Environment& environment = {}) const;

  /// A directory that is not there, for another run.
  std::filesystem::path fresh() const;
  std::filesystem::path input(const char* name) const { return inputs_.directory / name; }
  std::filesystem::path err() const { return inputs_.directory / "err"; }
  std::chrono::microseconds duration() const { return duration_; }
  /// Calls that change files, in an undisturbed run.
  long calls() const { return calls_; }

  /// What a run that was disturbed must have in common with the undisturbed one.
  enum class Same {
    weights,
    metrics,    // and evaluations, and the weights
    everything  // best/ too
  };
  /// Goes on with the run to its end; empty if that gives what the undisturbed one has, and removes
  /// the directory; else what is wrong.
  std::string recover(const std::filesystem::path& out, Same same = Same::everything) const;

 private:
  /// Sums of weights, evaluations, and the metrics without what the clock decides.
  std::string result(const std::filesystem::path& out, Same same) const;

  testing::TinyRun inputs_;
  std::map<Same, std::string> expected_;
  std::chrono::microseconds duration_{};
  long calls_ = 0;
};

/// The settings that preload tests/faults/failing_calls.cpp, with these added (without their
/// prefix).
Environment preload(const Environment& settings);

}  // namespace gladius::faults
