// Everything that a run is at one moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gladius/tensor/tensor.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/trainer_state.h"

namespace gladius::train {

/// The evaluation with the lowest cross-entropy of a run so far; see best_model.h.
struct BestStep {
  std::int64_t step = 0;  // as in the metrics
  double cross_entropy = 0;
  std::string data;  // SHA-256 of what it was measured on
};

/// The state with its tensors: the weights by name, the optimizer's state_dict, and within a group
/// the gradients accumulated so far, by the weights' names. A run resumes from it to the bit.
struct Checkpoint {
  TrainerState state;
  NamedTensors weights, optimizer, gradients;
  MetricsMark metrics = {};
  /// The last step's record where its line is not in the metrics yet: in that of a run's last step,
  /// and where its evaluation is still to be made.
  std::optional<StepRecord> unevaluated = {};
  std::optional<BestStep> best = {};
  nlohmann::ordered_json run = nullptr;  // the resolved run file; null in those of earlier versions

  /// Steps whose lines are in the metrics.
  std::int64_t recorded_steps() const { return state.step - (unevaluated ? 1 : 0); }
};

/// Writes CHECKPOINTS/step-00000123/ whole or not at all, then removes all but the `keep` newest.
/// The tensors go to safetensors files, the rest to state.json; manifest.json has the size and
/// SHA-256 of each. IoError.
void save_checkpoint(const std::filesystem::path& checkpoints, const Checkpoint& checkpoint,
                     std::int64_t keep);

/// Removes all but the `keep` newest: a process may have been killed before it could. IoError.
void prune_checkpoints(const std::filesystem::path& checkpoints, std::int64_t keep);

/// A checkpoint by its name alone.
struct CheckpointEntry {
  std::int64_t step = 0;
  std::filesystem::path path;
};

/// All of a run, by their steps. IoError where `checkpoints` is something else than a directory.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& checkpoints);

/// The one with the most steps, if there is one.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& checkpoints);

/// Reads one; tensors are read-only views of the files. IoError; FormatError also for a file that
/// is not the one that the manifest describes.
Checkpoint load_checkpoint(const std::filesystem::path& directory);

/// What was found among checkpoints.
struct FoundCheckpoint {
  Checkpoint checkpoint;
  struct Unusable {
    std::filesystem::path path;
    std::string reason;
  };
  std::vector<Unusable> unusable;  // newer ones
};

/// Reads the newest of at most `last_step` steps that is whole and that `use`, which may throw,
/// takes. Changes nothing. Nothing if there are none; FormatError if none of them can be used.
std::optional<FoundCheckpoint> find_checkpoint(const std::filesystem::path& checkpoints,
                                               std::int64_t last_step,
                                               const std::function<void(const Checkpoint&)>& use);

/// Renames those that could not be used to step-00000123.damaged, a line each to `warn`. IoError.
void set_aside_unusable(const FoundCheckpoint& found,
                        const std::function<void(const std::string&)>& warn);

}  // namespace gladius::train
