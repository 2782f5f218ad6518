// The student of a run's best evaluation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gladius/models/language_model.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Beside the weights in the best model's directory: "step", what it came to, "data" (which), and
/// "files" (size and SHA-256 of the others).
inline constexpr const char* kBestEvaluation = "evaluation.json";

/// What keeps best/ from being what a run has written there; empty: nothing. IoError.
std::string wrong_with_best(const std::filesystem::path& directory);

/// `keep_best`: a model directory with the student of the lowest cross-entropy so far, and beside
/// its weights evaluation.json, which says of which step it is and what it came to. It is written
/// whole, then takes the place of the one before in one rename.
///
/// What a run knows of its best is part of its checkpoints, so that a resumed run decides as
/// one that never stopped. The directory itself may be ahead of the checkpoint that a killed run
/// resumes from; the steps that are made again then write it again.
class BestModel {
 public:
  BestModel(const StudentConfig& student, std::filesystem::path directory);

  /// Takes a checkpoint's place. A best whose directory is gone, not whole or another's, or that
  /// was measured on other data than `data`, counts for nothing. `is_made_again`: whether a step is
  /// evaluated when it is done again. Returns what is not as the checkpoint knew it; empty:
  /// nothing.
  std::string restore(const std::optional<BestStep>& best, const std::string& data,
                      const std::function<bool(std::int64_t step)>& is_made_again);
  const std::optional<BestStep>& best() const { return best_; }

  /// Writes the student if it is better than the best; `evaluation` is what evaluation.json gets.
  /// IoError.
  void offer(const LanguageModel& student, const BestStep& candidate,
             const nlohmann::ordered_json& evaluation);

 private:
  StudentConfig student_;
  std::filesystem::path directory_;
  std::optional<BestStep> best_;
};

}  // namespace gladius::train
