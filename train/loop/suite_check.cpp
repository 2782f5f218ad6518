#include "gladius/train/loop/suite_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/behaviour/chat_prompts.h"

namespace gladius::train {
namespace {

// Thrown out of the answers when a stop is asked for.
struct StopAnswering {};

text::Tokenizer tokenizer_of(const RunConfig& config) {
  if (config.student.tokenizer) return text::Tokenizer::load(*config.student.tokenizer);
  throw ConfigError(
      "eval_suite: its messages are given to the student by the chat template of "
      "student.tokenizer, which is null");
}

void require_ids_in_vocabulary(const std::vector<std::vector<std::int32_t>>& prompts,
                               std::int64_t vocab_size) {
  for (const auto& prompt : prompts) {
    const std::int32_t largest = std::ranges::max(prompt);
    if (largest < vocab_size) continue;
    throw ConfigError(fmt::format("eval_suite: the tokenizer gives id {}, the student has {}",
                                  largest, vocab_size));
  }
}

StepSuite counts_of(const Score& score) {
  return {.cases = score.cases,
          .parsed = score.parsed,
          .calls = score.calls,
          .name_right = score.name_right,
          .arguments_right = score.arguments_right,
          .all_right = score.all_right};
}

}  // namespace

SuiteCheck::SuiteCheck(const RunConfig& config, const RunEvents& events)
    : suite_(read_suite(config.eval_suite.value(), "", events.warn)),
      tokenizer_(tokenizer_of(config)) {
  ChatPrompts chat(*config.student.tokenizer, tokenizer_, events.warn);
  prompts_ = encode_cases(suite_, chat);
  const ModelConfig student = ModelConfig::load(config.student.config);
  require_ids_in_vocabulary(prompts_, student.vocab_size);
  options_ = {.sampling = {.greedy = true},
              .max_new_tokens = kSuiteTokens,
              .eos_token_ids = student.eos_token_ids};
  for (const std::int32_t id : chat.stop_tokens()) options_.eos_token_ids.push_back(id);
}

std::optional<StepSuite> SuiteCheck::ask(const LanguageModel& student, const RunEvents& events) {
  events.evaluating("student's answers");
  last_.reset();
  try {
    last_ = evaluate_suite(
        suite_, answer_prompts(student, tokenizer_, prompts_, options_, kSuiteBatch, [&](auto...) {
          if (events.stop_requested()) throw StopAnswering();
        }));
  } catch (const StopAnswering&) {
    return std::nullopt;
  }
  return counts_of(last_->scores.total);
}

bool SuiteCheck::finish(const LanguageModel& student, const std::filesystem::path& file,
                        const RunEvents& events) {
  if (!last_ && !ask(student, events)) return false;
  write_text_file(file, to_json(*last_, suite_, /*each_case=*/true)
                                .dump(2, ' ', /*ensure_ascii=*/false,
                                      nlohmann::ordered_json::error_handler_t::replace) +
                            "\n");
  events.info(fmt::format("suite: {}", describe(counts_of(last_->scores.total))));
  return true;
}

}  // namespace gladius::train
