#include "gladius/train/loop/suite_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/behaviour/chat_prompts.h"
#include "gladius/train/run/model_paths.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

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

std::optional<SuiteEvaluation> SuiteCheck::answers_of(const LanguageModel& model,
                                                      const std::string& who,
                                                      const RunEvents& events) const {
  events.evaluating(who + "'s answers");
  try {
    return evaluate_suite(
        suite_, answer_prompts(model, tokenizer_, prompts_, options_, kSuiteBatch, [&](auto...) {
          if (events.stop_requested()) throw StopAnswering();
        }));
  } catch (const StopAnswering&) {
    return std::nullopt;
  }
}

std::optional<StepSuite> SuiteCheck::ask(const LanguageModel& student, const RunEvents& events) {
  last_ = answers_of(student, "student", events);
  if (!last_) return std::nullopt;
  return counts_of(last_->scores.total);
}

std::optional<Json> SuiteCheck::ask_experts(const std::vector<ExpertConfig>& experts,
                                            const RunEvents& events) const {
  Json asked = Json::array();
  for (const ExpertConfig& expert : experts) {
    const bool again = std::ranges::any_of(
        asked, [&](const Json& other) { return other.at("model") == expert.model.string(); });
    if (expert.vocabulary != VocabularyMode::same || again) continue;
    try {
      const auto model = load_model(find_model(expert.model).paths, {.warn = events.warn});
      const auto answers = answers_of(*model, "expert " + expert.name, events);
      if (!answers) return std::nullopt;
      Json entry{{"expert", expert.name}, {"model", expert.model.string()}};
      entry.update(to_json(*answers, suite_, /*each_case=*/false));
      asked.push_back(std::move(entry));
    } catch (const Error& error) {
      events.warn(fmt::format("expert {}: not asked the suite: {}", expert.name, error.what()));
    }
  }
  return asked;
}

bool SuiteCheck::finish(const LanguageModel& student, const std::vector<ExpertConfig>& experts,
                        const std::filesystem::path& file, const RunEvents& events) {
  if (!last_ && !ask(student, events)) return false;
  auto others = ask_experts(experts, events);
  if (!others) return false;
  Json json = to_json(*last_, suite_, /*each_case=*/true);
  if (!others->empty()) json["experts"] = std::move(*others);
  write_text_file(file,
                  json.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n");
  events.info(fmt::format("suite: {}", describe(counts_of(last_->scores.total))));
  return true;
}

}  // namespace gladius::train
