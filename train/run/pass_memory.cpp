#include "gladius/train/run/pass_memory.h"

#include <fmt/format.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/run/memory.h"

namespace gladius {
namespace {

std::int64_t elements_per_token(const LanguageModel& model, Pass pass) {
  const PassSizes sizes = model.pass_sizes();
  switch (pass) {
    case Pass::logits:
      return sizes.live;
    case Pass::generate:
      return sizes.live + sizes.cached;
    case Pass::gradients:
      return sizes.num_layers * sizes.saved + 2 * model.config().vocab_size;
  }
  return 0;
}

}  // namespace

std::uint64_t pass_bytes(const LanguageModel& model, Pass pass, std::int64_t tokens) {
  const std::int64_t weights = pass == Pass::gradients ? 2 * model.num_parameters() : 0;
  return sizeof(float) * (static_cast<std::uint64_t>(tokens) *
                              static_cast<std::uint64_t>(elements_per_token(model, pass)) +
                          static_cast<std::uint64_t>(weights));
}

void require_memory_for_pass(const LanguageModel& model, Pass pass, std::int64_t tokens,
                             const std::string& text) {
  const std::uint64_t needed = pass_bytes(model, pass, tokens);
  const auto available = available_memory();
  if (!available || needed <= available->bytes) return;
  throw Error(fmt::format(
      "{} has {} tokens, for which the model needs about {} of memory, and {} are available ({}); "
      "make it shorter",
      text, format_count(tokens), format_bytes(needed), format_bytes(available->bytes),
      available->limited_by));
}

}  // namespace gladius
