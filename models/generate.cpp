#include "gladius/models/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/views.h"

namespace gladius {
namespace {

// Room at the start; the cache grows when a text gets longer.
constexpr std::int64_t kFirstTokens = 256;

// Logits [1, 1, V] after the last of `ids`, which continue what the cache holds.
Tensor next_logits(const CausalLM& model, const std::vector<std::int64_t>& ids, KvCache& cache) {
  const auto T = static_cast<std::int64_t>(ids.size());
  const std::int64_t start = cache.length();
  cache.reserve(start + T);
  const Variable hidden =
      model.hidden_states(Tensor::from(ids, {1, T}), sequential_context(1, T, start), &cache);
  return model.head(narrow(hidden, 1, T - 1, 1)).value().to(Dtype::F32);
}

std::span<const float> values_of(const Tensor& logits) {
  return {logits.data<float>(), static_cast<std::size_t>(logits.numel())};
}

}  // namespace

std::vector<std::int64_t> generate(const CausalLM& model, const std::vector<std::int64_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<void(std::int64_t id)>& on_token) {
  check_sampling_options(options.sampling);
  if (prompt.empty()) throw ShapeError("generate: the prompt has no tokens");
  if (options.max_new_tokens < 0) {
    throw ConfigError(fmt::format("generate: max_new_tokens is {}; it must be 0 or more",
                                  options.max_new_tokens));
  }
  const NoGrad no_grad;
  Generator generator(options.seed);
  const auto T = static_cast<std::int64_t>(prompt.size());
  KvCache cache = model.make_cache(1, T + std::min(options.max_new_tokens, kFirstTokens));
  std::vector<std::int64_t> all = prompt, pending = prompt;
  for (std::int64_t i = 0; i < options.max_new_tokens; ++i) {
    const Tensor logits = next_logits(model, pending, cache);
    const std::int64_t id = sample(values_of(logits), all, options.sampling, generator);
    all.push_back(id);
    pending = {id};
    if (on_token) on_token(id);
    if (std::ranges::count(options.eos_token_ids, id) > 0) break;
  }
  return {all.begin() + T, all.end()};
}

}  // namespace gladius
