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
#include "gladius/train/data/data_counts.h"
#include "gladius/train/metrics.h"

namespace gladius {

/// The numbers of a run after some of its steps.
struct TrainerState {
  std::int64_t step = 0;             // the next one
  std::int64_t data_position = 0;    // examples behind it; see BatchStream
  std::int64_t skipped_lines = 0;    // bad ones passed over
  DataCounts data_read;              // of the first epoch, so far
  std::int64_t updates = 0;          // ended groups, skipped ones included; the schedule's position
  std::int64_t skipped_updates = 0;  // for a loss or gradient that was not finite
  std::int64_t skipped_in_a_row = 0;
  bool group_is_spoiled = false;  // a loss of the current group was not finite
  double loss_sum = 0;            // of the finite losses
  std::int64_t losses = 0;
  std::vector<double> recent_losses;  // the last kLossWindow of them, oldest first
  std::optional<double> first_loss;   // the first that was finite
  std::optional<double> grad_norm;    // of the last update
  double elapsed_s = 0;

  nlohmann::ordered_json to_json() const;
  /// FormatError.
  static TrainerState from_json(const nlohmann::ordered_json& json);
};

/// The evaluation with the lowest cross-entropy of a run so far; see best_model.h.
struct BestStep {
  std::int64_t step = 0;  // as in the metrics
  double cross_entropy = 0;
  std::string data;  // SHA-256 of what it was measured on
};

/// The state with its tensors: the weights by name, the optimizer's state_dict, and within a group
/// the gradients accumulated so far, by the weights' names. A run goes on from it to the bit.
struct Checkpoint {
  TrainerState state;
  NamedTensors weights, optimizer, gradients;
  std::uint64_t metrics_offset = 0;  // bytes of metrics.jsonl
  /// The last step's record where its evaluation is still to be made; its line is not in the
  /// metrics yet.
  std::optional<StepRecord> unevaluated = {};
  std::optional<BestStep> best = {};
};

/// Writes CHECKPOINTS/step-00000123/ whole or not at all, then removes all but the `keep` newest.
/// The tensors go to safetensors files, the rest to state.json; manifest.json has the size and
/// SHA-256 of each. IoError.
void save_checkpoint(const std::filesystem::path& checkpoints, const Checkpoint& checkpoint,
                     std::int64_t keep);

/// The one with the most steps, if there is one.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& checkpoints);

/// Reads one; tensors are read-only views of the files. IoError; FormatError also for a file that
/// is not the one that the manifest describes.
Checkpoint load_checkpoint(const std::filesystem::path& directory);

/// Reads the newest that is whole. Newer ones that are not are told to `warn`, a line each, and set
/// aside as step-00000123.damaged. Nothing if there are none; FormatError if none of them is whole.
std::optional<Checkpoint> load_newest_checkpoint(
    const std::filesystem::path& checkpoints, const std::function<void(const std::string&)>& warn);

}  // namespace gladius
