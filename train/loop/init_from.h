// A student that begins with layers of another model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Which of `available` layers `count` begin with: evenly spaced, round(i (available - 1) / (count
/// - 1)), so that the first and the last are among them (0, 2, 4, 7, 9, 11 for 6 of 12, as
/// DistilBERT has them); a single one is the first. Where there are fewer than `count`, layers
/// repeat.
std::vector<std::int64_t> spread_layers(std::int64_t count, std::int64_t available);

/// The run with the layers of `student.init_from` filled in where the file leaves them to
/// spread_layers (or spread_growth). Errors of ModelConfig::load.
RunConfig settle_init_from(RunConfig config);

/// The run that resumes one begun as `before`: where the model of `student.init_from` is gone, what
/// the run began with is taken for it.
RunConfig settle_init_from(RunConfig config, const RunConfig& before);

/// What a student has of another model.
struct InitFromSummary {
  /// Tensors of one name but for the number of the layer that have fresh weights, and why.
  struct Fresh {
    std::string name;
    std::int64_t tensors = 0;
    std::string why;
  };

  std::filesystem::path model;
  std::vector<std::int64_t> layers;
  bool grow = false;
  std::int64_t taken = 0, tensors = 0;                // of all
  std::int64_t taken_parameters = 0, parameters = 0;  // of all
  std::vector<Fresh> fresh;

  /// As init_from.json has it.
  nlohmann::ordered_json to_json() const;
};

/// Gives a student with fresh weights the tensors of `config.init_from` that have the shapes of its
/// own: those of the chosen layers, the final norm, and, where both tokenizers are the same
/// (without tokenizers, where the sizes are), embedding and head. All others stay as they are.
/// Weights of any type become F32. With `grow` the student gets all of the smaller model, and
/// computes what it does (growth.h); tokenizers that differ are then a ConfigError. `info` is told
/// what was taken, `warn` what cannot be for its tokenizer. ConfigError for layers that do not fit,
/// or where nothing does; errors of load_model.
InitFromSummary take_layers(LanguageModel& student, const StudentConfig& config,
                            const std::function<void(const std::string&)>& info,
                            const std::function<void(const std::string&)>& warn);

}  // namespace gladius::train
