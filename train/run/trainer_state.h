// Where a run is, in numbers.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "gladius/train/data/data_counts.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// What an update's loss is divided by (LossNormalization::tokens): the terms of all its
/// micro-batches.
struct UpdateTerms {
  std::int64_t labelled = 0;  // of the cross-entropy
  std::int64_t compared = 0;  // of the divergence
};

/// What the student has written itself in place of the data's (on_policy.h).
struct OwnAnswer {
  std::int64_t step = 0, sequence = 0;  // of that step's micro-batch
  std::vector<std::int32_t> ids;        // behind the prompt
};

/// The numbers of a run after some of its steps.
struct TrainerState {
  std::int64_t step = 0;             // the next one
  std::int64_t data_position = 0;    // examples behind it; see BatchStream
  std::int64_t skipped_lines = 0;    // bad lines
  DataCounts data_read;              // of the first epoch, so far
  std::int64_t updates = 0;          // ended groups, skipped ones included; the schedule's position
  std::int64_t skipped_updates = 0;  // for a loss or gradient that was not finite
  std::int64_t skipped_in_a_row = 0;
  bool group_is_spoiled = false;            // a loss of the current group was not finite
  std::optional<UpdateTerms> update_terms;  // of the current group, if it has begun and they count
  /// Those of the current group, if it has begun and the student writes.
  std::optional<std::vector<OwnAnswer>> own_answers;
  double loss_sum = 0;  // of the finite losses
  std::int64_t losses = 0;
  std::vector<double> recent_losses;  // the last kLossWindow of them, oldest first
  std::optional<double> first_loss;   // the first that was finite
  std::optional<double> grad_norm;    // of the last update
  double elapsed_s = 0;

  /// Of the finite losses, and of the last kLossWindow of them; NaN of none.
  double running_mean() const { return loss_sum / static_cast<double>(losses); }
  double window_mean() const;

  nlohmann::ordered_json to_json() const;
  /// FormatError, naming the key, for what is missing, of another type, negative or not finite.
  static TrainerState from_json(const nlohmann::ordered_json& json);
};

/// Whether a run of `config` on `examples` examples can be there. FormatError naming the key.
void check_state(const TrainerState& state, const RunConfig& config, std::int64_t examples);

}  // namespace gladius::train
