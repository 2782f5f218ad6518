#include "gladius/train/loop/suite_check.h"

#include <fmt/format.h>

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
      prompts_(config, "eval_suite", kSuiteTokens, events,
               [this](ChatPrompts& chat) { return encode_cases(suite_, chat); }) {}

std::optional<SuiteEvaluation> SuiteCheck::answers_of(const LanguageModel& model,
                                                      const std::string& who,
                                                      const RunEvents& events) const {
  events.evaluating(who + "'s answers");
  auto answers = prompts_.answer(model, events);
  if (!answers) return std::nullopt;
  return evaluate_suite(suite_, std::move(*answers));
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
