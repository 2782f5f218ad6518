// What a set of weights consists of and needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gladius/models/config.h"
#include "gladius/tensor/io/safetensors.h"

namespace gladius::cli {

/// Parameters by component.
struct Components {
  std::int64_t embedding = 0, head = 0, final_norm = 0, layers = 0, other = 0;
  /// Of the first layer, all of which are equal.
  std::int64_t per_layer = 0;
  std::int64_t num_layers = 0;
  std::vector<SafetensorsEntry> first_layer;

  std::int64_t total() const { return embedding + head + final_norm + layers + other; }
};
Components count_components(const std::vector<SafetensorsFile>& files);

/// Estimates in bytes for one sequence of `tokens`.
struct MemoryNeeds {
  std::int64_t tokens = 0;
  std::uint64_t weights = 0;
  /// Weights as stored, key/value cache, one layer's activations at a time, logits.
  std::uint64_t inference = 0;
  /// F32 weights, gradients and AdamW's two moments; what all layers save for the backward pass;
  /// logits and their gradient.
  std::uint64_t training = 0;
};
MemoryNeeds estimate_memory(const ModelConfig& config, const std::vector<SafetensorsFile>& files,
                            std::int64_t tokens);

}  // namespace gladius::cli
