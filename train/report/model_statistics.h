// What a set of weights consists of and needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/tensor/io/safetensors.h"

namespace gladius {

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

/// Bytes of all tensors.
std::uint64_t weight_bytes(const std::vector<SafetensorsFile>& files);

/// Estimates in bytes for one sequence of `tokens`.
struct MemoryNeeds {
  std::uint64_t weights = 0;
  /// Weights, key/value cache, one layer's activations at a time, logits.
  std::uint64_t inference = 0;
  /// Weights and gradients in a type, AdamW's two moments in F32; what all layers save for the
  /// backward pass; a block of logits.
  std::uint64_t training = 0;
};
/// With weights of so many bytes, and training in a type of `trained_size` bytes.
MemoryNeeds model_memory(const LanguageModel& model, std::int64_t parameters, std::uint64_t weights,
                         std::uint64_t trained_size, std::int64_t tokens);

/// A type that weights could be kept in.
struct Precision {
  const char* name;
  int bits;
  bool trains;
};
inline constexpr Precision kPrecisions[] = {
    {"float32", 32, true}, {"float16", 16, true}, {"int8", 8, false}, {"int4", 4, false}};
MemoryNeeds model_memory(const LanguageModel& model, std::int64_t parameters,
                         const Precision& precision, std::int64_t tokens);

}  // namespace gladius
