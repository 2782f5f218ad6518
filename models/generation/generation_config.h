// generation_config.json: how a model's makers would have text generated.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/config.h"

namespace gladius {

/// What the file says; what it leaves out is for the caller to choose.
struct GenerationConfig {
  std::optional<bool> do_sample;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<std::int64_t> top_k, max_new_tokens;
  std::vector<std::int32_t> eos_token_ids;
  /// Settings of the file that would change the choice of tokens and that this library does not
  /// have.
  std::vector<std::string> unsupported;

  /// Of a model directory; without the file (or without its eos_token_id) the ids of config.json.
  /// IoError, FormatError, ConfigError.
  static GenerationConfig load(const std::filesystem::path& directory, const ModelConfig& config);
};

/// The file that transformers writes for a model that has none of its own.
std::string generation_config_text(const ModelConfig& config);

}  // namespace gladius
