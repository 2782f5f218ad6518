#include "gladius/train/report/model_statistics.h"

#include <algorithm>
#include <set>

#include "gladius/autograd/ops/linear_losses.h"

namespace gladius::train {
namespace {

constexpr std::string_view kLayers = "model.layers.";

// "3" of "model.layers.3.mlp.up_proj.weight".
std::string_view layer_of(std::string_view name) {
  name.remove_prefix(kLayers.size());
  return name.substr(0, name.find('.'));
}

std::uint64_t float_bytes(std::int64_t elements) {
  return static_cast<std::uint64_t>(elements) * sizeof(float);
}

}  // namespace

Components count_components(const std::vector<SafetensorsEntry>& entries) {
  Components result;
  std::set<std::string, std::less<>> layers;
  for (const SafetensorsEntry& entry : entries) {
    const std::int64_t count = numel(entry.shape);
    if (entry.name.starts_with(kLayers)) {
      result.layers += count;
      layers.emplace(layer_of(entry.name));
      if (layer_of(entry.name) == "0") {
        result.per_layer += count;
        result.first_layer.push_back(entry);
      }
    } else if (entry.name.starts_with("model.embed_tokens.")) {
      result.embedding += count;
    } else if (entry.name.starts_with("lm_head.")) {
      result.head += count;
    } else if (entry.name.starts_with("model.norm.")) {
      result.final_norm += count;
    } else {
      result.other += count;
    }
  }
  result.num_layers = std::ssize(layers);
  return result;
}

std::uint64_t weight_bytes(const std::vector<SafetensorsEntry>& entries) {
  std::uint64_t bytes = 0;
  for (const SafetensorsEntry& entry : entries) bytes += entry.end - entry.begin;
  return bytes;
}

std::vector<SafetensorsEntry> entries_of(const std::vector<SafetensorsFile>& files) {
  std::vector<SafetensorsEntry> all;
  for (const SafetensorsFile& file : files) {
    all.insert(all.end(), file.entries().begin(), file.entries().end());
  }
  return all;
}

MemoryNeed inference_memory(const LanguageModel& model, std::uint64_t weights,
                            std::int64_t tokens) {
  const PassSizes pass = model.pass_sizes();
  return {.weights = weights,
          .activations = float_bytes(tokens * pass.saved),
          .cache = float_bytes(tokens * pass.cached),
          .logits = float_bytes(model.config().vocab_size)};
}

MemoryNeed training_memory(const LanguageModel& model, std::int64_t parameters,
                           std::uint64_t type_size, std::int64_t tokens) {
  const PassSizes pass = model.pass_sizes();
  const std::uint64_t weights = static_cast<std::uint64_t>(parameters) * type_size;
  return {.weights = weights,
          .gradients = weights,
          .moments = float_bytes(2 * parameters),
          .activations = float_bytes(tokens * pass.num_layers * pass.saved),
          .logits = float_bytes(std::min(tokens, kLinearLossRows) * model.config().vocab_size)};
}

}  // namespace gladius::train
