// The settings of rotary embeddings in config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gladius {

class JsonFields;

/// The members of config.json's `rope_parameters`, or of the older `rope_theta` and `rope_scaling`.
struct RopeParameters {
  /// default; linear (kaiokendev 2023); dynamic (NTK-aware, bloc97 & emozilla 2023); yarn (Peng et
  /// al. 2023, arXiv:2309.00071); llama3 (Llama 3.1).
  std::string type = "default";
  double theta = 10000;
  double factor = 1;
  std::int64_t max_position_embeddings = 2048;
  /// Positions of the training before the context was extended (yarn, llama3).
  std::int64_t original_max_position_embeddings = 2048;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  bool truncate = true;                              // yarn: whole dimensions as bounds
  std::optional<double> attention_factor, mscale, mscale_all_dim;  // yarn

  /// Of a config.json whose max_position_embeddings is known. ConfigError names what is missing or
  /// not supported.
  static RopeParameters parse(const JsonFields& config, std::int64_t max_position_embeddings);
};

}  // namespace gladius
