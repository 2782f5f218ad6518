#include "gladius/models/generation/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/views.h"

namespace gladius {
namespace {

// Room at the start; the cache grows when a text gets longer.
constexpr std::int64_t kFirstTokens = 256;

std::span<const float> values_of(const Tensor& logits) {
  return {logits.data<float>(), static_cast<std::size_t>(logits.numel())};
}

}  // namespace

GenerationSession::GenerationSession(const LanguageModel& model, GenerateOptions options)
    : model_(model), options_(std::move(options)), generator_(options_.seed) {
  check_sampling_options(options_.sampling);
  if (options_.max_new_tokens < 0) {
    throw ConfigError(fmt::format("generate: max_new_tokens is {}; it must be 0 or more",
                                  options_.max_new_tokens));
  }
}

std::vector<std::int32_t> GenerationSession::generate(
    const std::vector<std::int32_t>& prompt, const std::function<void(std::int32_t id)>& on_token) {
  if (prompt.empty()) throw ShapeError("generate: the prompt has no tokens");
  const NoGrad no_grad;
  const auto T = std::ssize(prompt);
  if (cache_.layers.empty()) {
    cache_ = model_.make_cache(1, T + std::min(options_.max_new_tokens, kFirstTokens));
  }
  std::vector<std::int32_t> text = prompt;
  for (std::int64_t i = 0; i < options_.max_new_tokens; ++i) {
    const Tensor logits = next_logits(text);
    const std::int32_t id = sample(values_of(logits), text, options_.sampling, generator_);
    text.push_back(id);
    if (on_token) on_token(id);
    if (std::ranges::count(options_.eos_token_ids, id) > 0) break;
  }
  return {text.begin() + T, text.end()};
}

// Logits [1, 1, V] after `text`, of which the cache may hold the beginning.
Tensor GenerationSession::next_logits(const std::vector<std::int32_t>& text) {
  // At least one token goes through the model.
  const auto common = std::ranges::mismatch(seen_, std::span(text).first(text.size() - 1)).in1;
  const auto start = static_cast<std::int64_t>(common - seen_.begin());
  const std::vector<std::int32_t> ids(text.begin() + start, text.end());
  const auto T = std::ssize(ids);
  seen_.resize(static_cast<std::size_t>(start));
  cache_.truncate(start);
  cache_.reserve(start + T);
  const Variable hidden =
      model_.hidden_states(Tensor::from(ids, {1, T}), sequential_context(1, T, start), &cache_);
  seen_ = text;
  return model_.head(narrow(hidden, 1, T - 1, 1)).value().to(Dtype::F32);
}

std::vector<std::int32_t> generate(const LanguageModel& model,
                                   const std::vector<std::int32_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<void(std::int32_t id)>& on_token) {
  return GenerationSession(model, options).generate(prompt, on_token);
}

}  // namespace gladius
