#include "eval_suite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "answering.h"
#include "constrained.h"
#include "constrained_suite.h"
#include "gladius/models/generation/generate.h"
#include "gladius/models/generation/generation_config.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/behaviour/chat_prompts.h"
#include "gladius/train/behaviour/json_values.h"
#include "gladius/train/behaviour/suite_evaluation.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

// Some at once, each under its own constraint.
void answer_constrained(ConstrainedSuite& constrained, const train::SuiteEvaluation& free,
                        const Prompts& prompts, const LanguageModel& model,
                        const text::Tokenizer& tokenizer, const GenerateOptions& settings,
                        std::int64_t batch_size, const Common& common) {
  Prompts own;
  for (const std::size_t place : constrained.places()) own.push_back(prompts[place]);
  CountProgress progress("constrained case", own.size(), common);
  std::vector<train::Answer> answers = train::answer_prompts(
      model, tokenizer, own, settings, batch_size, [&](auto...) { progress.done(); },
      [&](std::size_t index) { return constrained.constraint(index, settings.eos_token_ids); });
  // They are whole, though they may have been hurried.
  for (train::Answer& answer : answers) answer.cut = false;
  constrained.evaluate(free, std::move(answers));
}

std::vector<std::string> score_row(const std::string& name, const train::Score& score) {
  const auto of = [](std::int64_t count, std::int64_t all) {
    return all > 0 ? fmt::format("{} of {}", count, all) : "-";
  };
  const train::Interval interval = train::wilson_interval(score.all_right, score.cases);
  return {shortened(name),
          fmt::format("{}", score.cases),
          of(score.parsed, score.cases),
          of(score.name_right, score.calls),
          of(score.arguments_right, score.calls),
          of(score.all_right, score.cases),
          fmt::format("{:.1f}% to {:.1f}%", 100 * interval.low, 100 * interval.high)};
}

void print_scores(const train::Scores& scores) {
  std::vector<std::vector<std::string>> rows{{"category", "cases", "parsed", "right name",
                                              "right arguments", "all right", "95% interval"}};
  for (const auto& [name, score] : scores.categories) rows.push_back(score_row(name, score));
  if (scores.categories.size() > 1) rows.push_back(score_row("all", scores.total));
  print("{}", format_table(rows));
}

void print_ceiling(const train::Ceiling& ceiling) {
  if (ceiling.cases > 0) {
    print("ceiling: {} of {} right answers, built from the cases, pass the same rules{}\n",
          ceiling.all_right, ceiling.cases,
          ceiling.failed.empty()
              ? ""
              : fmt::format("; not {}",
                            shortened(fmt::format("{}", fmt::join(ceiling.failed, ", ")))));
  }
  if (ceiling.unknown > 0) {
    print("ceiling: {} cases have no right answer to build (a regular expression, or a schema)\n",
          ceiling.unknown);
  }
}

void print_evaluation(const train::Suite& suite, const train::SuiteEvaluation& evaluation,
                      const SuiteArguments& options, std::int64_t max_new_tokens) {
  print_scores(evaluation.scores);
  if (evaluation.cut > 0) {
    print("cut: {} of {} answers, at {} tokens\n", evaluation.cut, suite.cases.size(),
          max_new_tokens);
  }
  print_ceiling(evaluation.ceiling);
  if (options.failures) print_failures(suite, evaluation);
}

// Both results, a row under the other.
void print_constrained(const ConstrainedSuite& constrained, const SuiteArguments& options) {
  std::vector<std::vector<std::string>> rows{{"category", "answers", "cases", "parsed",
                                              "right name", "right arguments", "all right",
                                              "95% interval"}};
  const auto add = [&](const std::string& name, const char* answers, const train::Score& score) {
    std::vector<std::string> row = score_row(name, score);
    row.insert(row.begin() + 1, answers);
    rows.push_back(std::move(row));
  };
  const train::Scores &free = constrained.free().scores, &with = constrained.constrained().scores;
  for (std::size_t i = 0; i < free.categories.size(); ++i) {
    add(free.categories[i].first, "free", free.categories[i].second);
    add("", "constrained", with.categories[i].second);
  }
  if (free.categories.size() > 1) {
    add("all", "free", free.total);
    add("", "constrained", with.total);
  }
  print("\nwith and without the constraint, of the cases that can have one\n{}",
        format_table(rows));
  if (options.failures) print_failures(constrained.suite(), constrained.constrained());
}

// Of the cases that expect a call or JSON.
void tell_of_left_out(const ConstrainedSuite& constrained, const Common& common) {
  for (const auto& [why, count] : constrained.left_out()) {
    warn(common, fmt::format("{} not constrained: {}",
                             count == 1 ? "1 case is" : fmt::format("{} cases are", count), why));
  }
}

// In one line.
void tell_of_skipped(const train::Suite& suite, const Common& common) {
  std::vector<std::string> reasons;
  std::int64_t skipped = 0;
  for (const auto& [why, count] : suite.skipped) {
    reasons.push_back(fmt::format("{} {}", count, why));
    skipped += count;
  }
  if (skipped == 0) return;
  warn(common, fmt::format("skipped {} of {} cases: {}", skipped, skipped + std::ssize(suite.cases),
                           fmt::join(reasons, ", ")));
}

}  // namespace

GenerateOptions suite_settings(const ModelPaths& paths, const LanguageModel& model,
                               train::ChatPrompts& chat, std::int64_t max_new_tokens,
                               const Common& common) {
  GenerateOptions settings{
      .sampling = {.greedy = true},
      .max_new_tokens = max_new_tokens,
      .eos_token_ids = GenerationConfig::load(paths.weights, model.config()).eos_token_ids};
  add_stop_tokens(settings.eos_token_ids, chat.stop_tokens(), common);
  return settings;
}

train::SuiteEvaluation answer_suite(const train::Suite& suite, const Prompts& prompts,
                                    const LanguageModel& model, const text::Tokenizer& tokenizer,
                                    const GenerateOptions& settings, std::int64_t batch_size,
                                    const Common& common) {
  CountProgress progress("case", prompts.size(), common);
  return train::evaluate_suite(
      suite, train::answer_prompts(model, tokenizer, prompts, settings, batch_size,
                                   [&](auto...) { progress.done(); }));
}

void print_failures(const train::Suite& suite, const train::SuiteEvaluation& evaluation) {
  for (std::size_t i = 0; i < suite.cases.size(); ++i) {
    const train::Case& one = suite.cases[i];
    const auto& [answer, verdict] = evaluation.answers[i];
    if (verdict.right) continue;
    print("\n{} ({}): {}\n  expected  {}\n  output    {}{}\n", printable(one.id),
          printable(one.category), verdict.reason, printable(train::describe(one.expected)),
          printable(train::one_line(answer.text)), answer.cut ? " (cut)" : "");
  }
}

void run_suite(const std::string& model, const std::string& adapter, const SuiteArguments& options,
               const Common& common) {
  const std::int64_t max_new_tokens = options.max_new_tokens.value_or(train::kSuiteTokens);
  const train::Suite suite = train::read_suite(options.file, options.answers, warner(common));
  tell_of_skipped(suite, common);
  const ModelPaths paths = locate_model(model, common);
  const text::Tokenizer tokenizer = load_tokenizer(common, paths.tokenizer);
  train::ChatPrompts chat(paths.tokenizer, tokenizer, warner(common));
  const Prompts prompts = train::encode_cases(suite, chat);
  std::optional<ConstrainedSuite> constrained;
  if (options.constrained) {
    constrained.emplace(suite, prompts, tokenizer, load_vocabulary(paths.tokenizer),
                        max_new_tokens);
    tell_of_left_out(*constrained, common);
  }
  const auto loaded = load_model(paths, {.warn = warner(common), .adapter = adapter});
  check_prompts("--suite", prompts, *loaded, max_new_tokens, common);
  const GenerateOptions settings = suite_settings(paths, *loaded, chat, max_new_tokens, common);
  const train::SuiteEvaluation evaluation =
      answer_suite(suite, prompts, *loaded, tokenizer, settings, options.batch_size, common);
  if (constrained) {
    answer_constrained(*constrained, evaluation, prompts, *loaded, tokenizer, settings,
                       options.batch_size, common);
  }
  if (!common.json) {
    print_evaluation(suite, evaluation, options, max_new_tokens);
    if (constrained) print_constrained(*constrained, options);
    return;
  }
  nlohmann::ordered_json document = train::to_json(evaluation, suite, options.failures);
  document["max_new_tokens"] = max_new_tokens;
  if (constrained) document["constraint"] = constrained->to_json(options.failures);
  print_json(document);
}

}  // namespace gladius::cli
