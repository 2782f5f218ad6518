// What a run asks its student, in the form of a chat.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/behaviour/answers.h"
#include "gladius/train/behaviour/chat_prompts.h"
#include "gladius/train/run/run_config.h"
#include "gladius/train/run/run_events.h"

namespace gladius::train {

/// Prompts by the chat template of `student.tokenizer`, which the student answers greedily: they
/// only read the weights, and no random numbers are drawn. For one thread at a time.
class StudentPrompts {
 public:
  using Encode = std::function<std::vector<std::vector<std::int32_t>>(ChatPrompts&)>;

  /// `key` of the run file asks for them. ConfigError where the run has no tokenizer, or none with
  /// a chat template, or where one gives ids that the student does not have; errors of `encode`.
  StudentPrompts(const RunConfig& config, const std::string& key, std::int64_t max_tokens,
                 const RunEvents& events, const Encode& encode);

  /// Of all prompts, in their order. Nothing if a stop was asked for.
  std::optional<std::vector<Answer>> answer(const LanguageModel& student,
                                            const RunEvents& events) const;

 private:
  text::Tokenizer tokenizer_;
  std::vector<std::vector<std::int32_t>> prompts_;
  GenerateOptions options_;
};

}  // namespace gladius::train
