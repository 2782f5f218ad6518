#include "gladius/train/report/model_statistics.h"

#include <algorithm>
#include <set>

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/train/run/memory.h"

namespace gladius {
namespace {

constexpr std::string_view kLayers = "model.layers.";

// "3" of "model.layers.3.mlp.up_proj.weight".
std::string_view layer_of(std::string_view name) {
  name.remove_prefix(kLayers.size());
  return name.substr(0, name.find('.'));
}

}  // namespace

Components count_components(const std::vector<SafetensorsFile>& files) {
  Components result;
  std::set<std::string, std::less<>> layers;
  for (const SafetensorsFile& file : files) {
    for (const SafetensorsEntry& entry : file.entries()) {
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
  }
  result.num_layers = std::ssize(layers);
  return result;
}

std::uint64_t weight_bytes(const std::vector<SafetensorsFile>& files) {
  std::uint64_t bytes = 0;
  for (const SafetensorsFile& file : files) {
    for (const SafetensorsEntry& entry : file.entries()) bytes += entry.end - entry.begin;
  }
  return bytes;
}

MemoryNeeds model_memory(const LanguageModel& model, std::int64_t parameters, std::uint64_t weights,
                         std::uint64_t trained_size, std::int64_t tokens) {
  const auto bytes = [&](std::int64_t elements_per_token) {
    return static_cast<std::uint64_t>(elements_per_token * tokens) * sizeof(float);
  };
  const PassSizes pass = model.pass_sizes();
  const std::int64_t vocab_size = model.config().vocab_size;
  const auto last_logits = static_cast<std::uint64_t>(vocab_size) * sizeof(float);
  const auto logits_block =
      static_cast<std::uint64_t>(std::min(tokens, kLinearLossRows) * vocab_size) * sizeof(float);
  const std::uint64_t a_parameter = 2 * trained_size + 2 * sizeof(float);
  return {.weights = weights,
          .inference = weights + bytes(pass.cached) + bytes(pass.saved) + last_logits,
          .training = a_parameter * static_cast<std::uint64_t>(parameters) +
                      bytes(pass.num_layers * pass.saved) + logits_block};
}

MemoryNeeds model_memory(const LanguageModel& model, std::int64_t parameters,
                         const Precision& precision, std::int64_t tokens) {
  const auto bits = static_cast<std::uint64_t>(precision.bits);
  return model_memory(model, parameters, static_cast<std::uint64_t>(parameters) * bits / 8,
                      bits / 8, tokens);
}

}  // namespace gladius
