// How the experts do on the data that the student is evaluated on.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "gladius/train/loop/evaluate.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// expert_evaluations.json of a run: {"data": which data, "experts": [{"expert", "model",
/// "sequences", "tokens", "cross_entropy", "perplexity", "bits_per_byte", "bytes", ...}]}; earlier
/// versions wrote no bytes.
class ExpertEvaluations {
 public:
  /// Those that the file has of the same data; none where it is not there or cannot be read.
  ExpertEvaluations(std::filesystem::path file, std::string data);

  /// Whether the expert's is known. That of the same model under another name is taken over.
  /// IoError.
  bool recall(const ExpertConfig& expert);
  /// Writes the file. IoError.
  void add(const ExpertConfig& expert, const Evaluation& evaluation);
  /// What the file has is not known to be true: each is to be evaluated again.
  void distrust() { experts_.clear(); }
  /// Removes a file that is of other data, holds no evaluation, or is not trusted. IoError.
  void remove_others() const;
  /// The list.
  const nlohmann::ordered_json& experts() const { return experts_; }

 private:
  void write(nlohmann::ordered_json entry);

  std::filesystem::path file_;
  std::string data_;
  nlohmann::ordered_json experts_ = nlohmann::ordered_json::array();
};

}  // namespace gladius::train
