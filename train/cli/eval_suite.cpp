#include "eval_suite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "answering.h"
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

// Of all cases, so that what is wrong with one is told before the work.
Prompts encode_cases(const train::Suite& suite, train::ChatPrompts& chat) {
  Prompts prompts;
  for (const train::Case& one : suite.cases) {
    const auto place = [&](const Error& error) {
      return fmt::format("case {}: {}", in_quotes(one.id), error.what());
    };
    try {
      prompts.push_back(chat.encode(one.conversation));
    } catch (const ConfigError& error) {
      throw ConfigError(place(error));
    } catch (const FormatError& error) {
      throw FormatError(place(error));
    }
  }
  return prompts;
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

void print_evaluation(const train::Suite& suite, const train::SuiteEvaluation& evaluation,
                      const SuiteArguments& options) {
  print_scores(evaluation.scores);
  if (evaluation.cut > 0) {
    print("cut: {} of {} answers, at {} tokens\n", evaluation.cut, suite.cases.size(),
          options.max_new_tokens);
  }
  print_ceiling(evaluation.ceiling);
  if (options.failures) print_failures(suite, evaluation);
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

void run_suite(const std::string& model, const std::string& adapter, const SuiteArguments& options,
               const Common& common) {
  const train::Suite suite = train::read_suite(options.file, options.answers, warner(common));
  tell_of_skipped(suite, common);
  const ModelPaths paths = locate_model(model, common);
  const text::Tokenizer tokenizer = load_tokenizer(common, paths.tokenizer);
  train::ChatPrompts chat(paths.tokenizer, tokenizer, warner(common));
  const Prompts prompts = encode_cases(suite, chat);
  const auto loaded = load_model(paths, {.warn = warner(common), .adapter = adapter});
  check_prompts("--suite", prompts, *loaded, options.max_new_tokens, common);
  GenerateOptions settings{
      .sampling = {.greedy = true},
      .max_new_tokens = options.max_new_tokens,
      .eos_token_ids = GenerationConfig::load(paths.weights, loaded->config()).eos_token_ids};
  add_stop_tokens(settings.eos_token_ids, chat.stop_tokens(), common);
  CountProgress progress("case", prompts.size(), common);
  const train::SuiteEvaluation evaluation = train::evaluate_suite(
      suite, train::answer_prompts(*loaded, tokenizer, prompts, settings, options.batch_size,
                                   [&](auto...) { progress.done(); }));
  if (!common.json) return print_evaluation(suite, evaluation, options);
  nlohmann::ordered_json document = train::to_json(evaluation, suite, options.failures);
  document["max_new_tokens"] = options.max_new_tokens;
  print_json(document);
}

}  // namespace gladius::cli
