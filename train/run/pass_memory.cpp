#include "gladius/train/run/pass_memory.h"

#include <fmt/format.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"

namespace gladius::train {
MemoryNeed pass_memory(const LanguageModel& model, Pass pass, std::int64_t tokens) {
  const auto bytes = [](std::int64_t elements) {
    return static_cast<std::uint64_t>(elements) * sizeof(float);
  };
  const auto length = static_cast<std::uint64_t>(tokens);
  const PassSizes sizes = model.pass_sizes();
  if (pass == Pass::gradients) {
    return {.weights = bytes(model.num_parameters()),
            .gradients = bytes(model.num_parameters()),
            .activations = length * bytes(sizes.num_layers * sizes.saved),
            .logits = length * bytes(2 * model.config().vocab_size)};
  }
  return {.activations = length * bytes(sizes.live),
          .cache = pass == Pass::generate ? length * bytes(sizes.cached) : 0};
}

void require_memory_for_pass(const LanguageModel& model, Pass pass, std::int64_t tokens,
                             const std::string& text) {
  const std::uint64_t needed = pass_memory(model, pass, tokens).required();
  const auto available = available_memory();
  if (!available || needed <= available->bytes) return;
  throw Error(fmt::format(
      "{} has {} tokens, for which the model needs about {} of memory, and {} are available ({}); "
      "make it shorter",
      text, format_count(tokens), format_bytes(needed), format_bytes(available->bytes),
      available->limited_by));
}

}  // namespace gladius::train
