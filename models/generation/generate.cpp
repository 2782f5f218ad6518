#include "gladius/models/generation/generate.h"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "gladius/autograd/grad_mode.h"

namespace gladius {
namespace {

std::span<float> values_of(const Tensor& logits) {
  return {logits.data<float>(), static_cast<std::size_t>(logits.numel())};
}

}  // namespace

void check_generate_options(const GenerateOptions& options) {
  check_sampling_options(options.sampling);
  if (options.max_new_tokens < 0) {
    throw ConfigError(fmt::format("generate: max_new_tokens is {}; it must be 0 or more",
                                  options.max_new_tokens));
  }
}

GenerationSession::GenerationSession(const LanguageModel& model, GenerateOptions options)
    : options_(std::move(options)), generator_(options_.seed), pass_(model) {
  check_generate_options(options_);
}

std::vector<std::int32_t> GenerationSession::generate(
    const std::vector<std::int32_t>& prompt, const std::function<void(std::int32_t id)>& on_token,
    TokenConstraint* constraint) {
  if (prompt.empty()) throw ShapeError("generate: the prompt has no tokens");
  const NoGrad no_grad;
  std::vector<std::int32_t> text = prompt;
  for (std::int64_t i = 0; i < options_.max_new_tokens; ++i) {
    const std::int64_t left = options_.max_new_tokens - i;
    if (constraint != nullptr && constraint->is_finished(left)) break;
    const Tensor logits = pass_.next_logits(text, left);
    if (constraint != nullptr) constraint->mask(values_of(logits), left);
    const std::int32_t id = sample(values_of(logits), text, options_.sampling, generator_);
    if (constraint != nullptr) constraint->advance(id);
    text.push_back(id);
    if (on_token) on_token(id);
    if (options_.ends_after(id)) break;
  }
  return {text.begin() + std::ssize(prompt), text.end()};
}

std::vector<std::int32_t> generate(const LanguageModel& model,
                                   const std::vector<std::int32_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<void(std::int32_t id)>& on_token) {
  return GenerationSession(model, options).generate(prompt, on_token);
}

}  // namespace gladius
