// Continuing a text token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "gladius/models/causal_lm.h"
#include "gladius/models/sampling.h"

namespace gladius {

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 50;
  /// Generation ends after any of these.
  std::vector<std::int64_t> eos_token_ids;
  std::uint64_t seed = 0;
};

/// The tokens that follow `prompt`, an end token included; each is also given to `on_token` as it
/// comes. One pass over the prompt, then one a token with a key/value cache. ShapeError for an
/// empty prompt or ids outside of the vocabulary, ConfigError for options out of range.
std::vector<std::int64_t> generate(const CausalLM& model, const std::vector<std::int64_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<void(std::int64_t id)>& on_token = {});

}  // namespace gladius
