#include "gladius/train/pass_memory.h"

#include <fmt/format.h>

#include "gladius/tensor/error.h"
#include "gladius/train/memory.h"
#include "gladius/train/text_format.h"

namespace gladius {
namespace {

// Elements a token that live at once in a layer whose inputs nobody keeps: the residual sum, its
// norm, and the three of the SwiGLU.
std::int64_t layer_elements(const ModelConfig& config) {
  return 2 * config.hidden_size + 3 * config.intermediate_size;
}

std::int64_t elements_per_token(const ModelConfig& config, Pass pass) {
  const std::int64_t layers = config.num_hidden_layers;
  const std::int64_t cache = 2 * layers * config.num_key_value_heads * config.head_dim;
  switch (pass) {
    case Pass::logits:
      return layer_elements(config);
    case Pass::generate:
      return layer_elements(config) + cache;
    case Pass::gradients:
      return layers * activations_per_token(config) + 2 * config.vocab_size;
  }
  return 0;
}

}  // namespace

std::uint64_t pass_bytes(const ModelConfig& config, Pass pass, std::int64_t tokens) {
  const std::int64_t weights = pass == Pass::gradients ? 2 * count_parameters(config) : 0;
  return sizeof(float) * (static_cast<std::uint64_t>(tokens) *
                              static_cast<std::uint64_t>(elements_per_token(config, pass)) +
                          static_cast<std::uint64_t>(weights));
}

void require_memory_for_pass(const ModelConfig& config, Pass pass, std::int64_t tokens,
                             const std::string& text) {
  const std::uint64_t needed = pass_bytes(config, pass, tokens);
  const auto available = available_memory();
  if (!available || needed <= available->bytes) return;
  throw Error(fmt::format(
      "{} has {} tokens, for which the model needs about {} of memory, and {} are available ({}); "
      "make it shorter",
      text, format_count(tokens), format_bytes(needed), format_bytes(available->bytes),
      available->limited_by));
}

}  // namespace gladius
