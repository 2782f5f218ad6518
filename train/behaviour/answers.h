// What a model answers to many conversations or texts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gladius/models/generation/generate_batch.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace gladius::train {

/// What `eval --suite` and `eval_suite` allow an answer, and how many they generate at once.
inline constexpr std::int64_t kSuiteTokens = 256, kSuiteBatch = 16;

struct Answer {
  std::string text;
  bool cut = false;               // at the most tokens that it may have
  std::vector<std::int32_t> ids;  // without an end token
};

/// Of the tokens that generate() gave.
Answer make_answer(const text::Tokenizer& tokenizer, std::vector<std::int32_t> ids,
                   const GenerateOptions& options);

/// The model's answers, as generate_batch. `on_answer` is called with a prompt's place as each
/// ends.
std::vector<Answer> answer_prompts(
    const LanguageModel& model, const text::Tokenizer& tokenizer,
    const std::vector<std::vector<std::int32_t>>& prompts, const GenerateOptions& options,
    std::int64_t batch_size,
    const std::function<void(std::size_t index, const Answer& answer)>& on_answer = {},
    const MakeConstraint& make_constraint = {});

}  // namespace gladius::train
