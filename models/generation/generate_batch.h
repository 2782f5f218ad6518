// Continuing many texts at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "gladius/models/generation/generate.h"
#include "gladius/models/generation/token_constraint.h"
#include "gladius/models/language_model.h"

namespace gladius {

/// Given the place of a prompt and the tokens that follow it, an end token included.
using OnAnswer = std::function<void(std::size_t index, const std::vector<std::int32_t>& answer)>;

/// What limits the answer to a prompt, made when it begins; null for nothing. Constraints of
/// different prompts are asked by different threads at once.
using MakeConstraint = std::function<std::unique_ptr<TokenConstraint>(std::size_t index)>;

/// The tokens that follow each of the prompts. Up to `batch_size` texts go through the model
/// together, a token each a pass; where one ends the next takes its place, so that a long answer
/// keeps no other waiting. `on_answer` is called as they end.
///
/// The tokens are those of generate() for each alone, but where two logits are closer than the
/// rounding of a matrix product, which depends on its rows. Prompt i draws from `seed` + i,
/// whatever the batch. A model with dynamic rotary scaling, whose frequencies depend on the longest
/// text of a pass, continues texts beyond its positions one by one.
///
/// ShapeError for an empty prompt or ids outside of the vocabulary, ConfigError for options out of
/// range. Memory: keys and values of `batch_size` texts.
std::vector<std::vector<std::int32_t>> generate_batch(
    const LanguageModel& model, const std::vector<std::vector<std::int32_t>>& prompts,
    const GenerateOptions& options, std::int64_t batch_size, const OnAnswer& on_answer = {},
    const MakeConstraint& make_constraint = {});

}  // namespace gladius
