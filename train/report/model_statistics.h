// What a set of weights consists of and needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/run/memory.h"

namespace gladius::train {

/// Parameters by component.
struct Components {
  std::int64_t embedding = 0, head = 0, final_norm = 0, layers = 0, other = 0;
  /// Of the first layer, all of which are equal.
  std::int64_t per_layer = 0;
  std::int64_t num_layers = 0;
  std::vector<SafetensorsEntry> first_layer;

  std::int64_t total() const { return embedding + head + final_norm + layers + other; }
};
Components count_components(const std::vector<SafetensorsEntry>& entries);

/// Bytes of all tensors.
std::uint64_t weight_bytes(const std::vector<SafetensorsEntry>& entries);

/// The tensors of all files.
std::vector<SafetensorsEntry> entries_of(const std::vector<SafetensorsFile>& files);

/// Of generating one sequence of `tokens` with weights of so many bytes: the key/value cache, one
/// layer's activations at a time, the last token's logits.
MemoryNeed inference_memory(const LanguageModel& model, std::uint64_t weights, std::int64_t tokens);
/// Of training `parameters` on one sequence of `tokens`: weights and gradients in a type of
/// `type_size` bytes, AdamW's two moments in F32, what all layers save for the backward pass, a
/// block of logits.
MemoryNeed training_memory(const LanguageModel& model, std::int64_t parameters,
                           std::uint64_t type_size, std::int64_t tokens);

/// A type that weights could be kept in.
struct StoragePrecision {
  const char* name;
  std::uint64_t bits;
  bool trains;

  std::uint64_t bytes(std::int64_t parameters) const {
    return static_cast<std::uint64_t>(parameters) * bits / 8;
  }
};
inline constexpr StoragePrecision kPrecisions[] = {
    {"float32", 32, true}, {"float16", 16, true}, {"int8", 8, false}, {"int4", 4, false}};

}  // namespace gladius::train
