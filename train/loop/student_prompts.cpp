#include "gladius/train/loop/student_prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

// Thrown out of the answers when a stop is asked for.
struct StopAnswering {};

text::Tokenizer tokenizer_of(const RunConfig& config, const std::string& key) {
  if (config.student.tokenizer) return text::Tokenizer::load(*config.student.tokenizer);
  throw ConfigError(fmt::format(
      "{}: messages are given to the student by the chat template of student.tokenizer, which is "
      "null",
      key));
}

ChatPrompts chat_of(const RunConfig& config, const std::string& key,
                    const text::Tokenizer& tokenizer, const RunEvents& events) {
  try {
    return {*config.student.tokenizer, tokenizer, events.warn};
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", key, error.what()));
  }
}

void require_ids_in_vocabulary(const std::vector<std::vector<std::int32_t>>& prompts,
                               const std::string& key, std::int64_t vocab_size) {
  for (const auto& prompt : prompts) {
    const std::int32_t largest = std::ranges::max(prompt);
    if (largest < vocab_size) continue;
    throw ConfigError(
        fmt::format("{}: the tokenizer gives id {}, the student has {}", key, largest, vocab_size));
  }
}

}  // namespace

StudentPrompts::StudentPrompts(const RunConfig& config, const std::string& key,
                               std::int64_t max_tokens, const RunEvents& events,
                               const Encode& encode)
    : tokenizer_(tokenizer_of(config, key)) {
  ChatPrompts chat = chat_of(config, key, tokenizer_, events);
  prompts_ = encode(chat);
  const ModelConfig student = ModelConfig::load(config.student.config);
  require_ids_in_vocabulary(prompts_, key, student.vocab_size);
  options_ = {.sampling = {.greedy = true},
              .max_new_tokens = max_tokens,
              .eos_token_ids = student.eos_token_ids};
  for (const std::int32_t id : chat.stop_tokens()) options_.eos_token_ids.push_back(id);
}

std::optional<std::vector<Answer>> StudentPrompts::answer(const LanguageModel& student,
                                                          const RunEvents& events) const {
  try {
    return answer_prompts(student, tokenizer_, prompts_, options_, kSuiteBatch, [&](auto...) {
      if (events.stop_requested()) throw StopAnswering();
    });
  } catch (const StopAnswering&) {
    return std::nullopt;
  }
}

}  // namespace gladius::train
