// Continuing a text token by token.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "gladius/models/generation/sampling.h"
#include "gladius/models/generation/text_pass.h"
#include "gladius/models/generation/token_constraint.h"
#include "gladius/models/language_model.h"
#include "gladius/tensor/random.h"

namespace gladius {

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 50;
  /// Generation ends after any of these.
  std::vector<std::int32_t> eos_token_ids;
  std::uint64_t seed = 0;

  bool ends_after(std::int32_t id) const {
    return std::ranges::find(eos_token_ids, id) != eos_token_ids.end();
  }
};

/// ConfigError naming the option that is out of its range.
void check_generate_options(const GenerateOptions& options);

/// Continues texts that often begin alike, such as a conversation after each of its turns: what a
/// prompt has in common with the text before it is not computed again. For one thread at a time;
/// several sessions, each on its own thread, may share a model.
class GenerationSession {
 public:
  /// `model` must outlive the session. ConfigError for options out of range.
  GenerationSession(const LanguageModel& model, GenerateOptions options);

  /// As generate(); the random choices go on from one text to the next. With a constraint, which
  /// is told each token, only what it lets come does.
  std::vector<std::int32_t> generate(const std::vector<std::int32_t>& prompt,
                                     const std::function<void(std::int32_t id)>& on_token = {},
                                     TokenConstraint* constraint = nullptr);

 private:
  GenerateOptions options_;
  Generator generator_;
  TextPass pass_;
};

/// The tokens that follow `prompt`, an end token included; each is also given to `on_token` as it
/// comes. Ids are of the type that Tokenizer gives and takes. One pass over the prompt, then one a
/// token with a key/value cache. ShapeError for an empty prompt or ids outside of the vocabulary,
/// ConfigError for options out of range.
std::vector<std::int32_t> generate(const LanguageModel& model,
                                   const std::vector<std::int32_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<void(std::int32_t id)>& on_token = {});

}  // namespace gladius
