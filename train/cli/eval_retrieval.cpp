#include "eval_retrieval.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "answering.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/behaviour/scores.h"
#include "gladius/train/loop/position_losses.h"
#include "gladius/train/run/run_settings.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

constexpr std::int64_t kAnswerTokens = 32;
constexpr std::int64_t kMostDistractors = 100;

struct RetrievalResults {
  std::vector<train::RetrievalScore> scores;
  train::SuiteEvaluation evaluation;
};

train::RetrievalScore retrieval_total(const std::vector<train::RetrievalScore>& scores) {
  train::RetrievalScore total;
  for (const train::RetrievalScore& score : scores) {
    total.cases += score.cases;
    total.right += score.right;
    total.alone += score.alone;
  }
  return total;
}

// A row a length: its depths, and all of them.
std::vector<std::string> retrieval_row(std::string name, std::string reach,
                                       const std::vector<train::RetrievalScore>& cells) {
  std::vector<std::string> row{std::move(name), std::move(reach)};
  for (const train::RetrievalScore& cell : cells) {
    row.push_back(fmt::format("{} of {}", cell.right, cell.cases));
  }
  const train::RetrievalScore all = retrieval_total(cells);
  const train::Interval interval = train::wilson_interval(all.right, all.cases);
  row.push_back(fmt::format("{} of {}", all.right, all.cases));
  row.push_back(fmt::format("{:.1f}% to {:.1f}%", 100 * interval.low, 100 * interval.high));
  row.push_back(fmt::format("{} of {}", all.alone, all.cases));
  return row;
}

void print_retrieval(const train::RetrievalOptions& options, const RetrievalResults& results,
                     const train::ReachBounds& bounds) {
  std::vector<std::string> heading{"tokens", "reach"};
  for (const std::int64_t depth : options.depths) heading.push_back(fmt::format("{}%", depth));
  heading.insert(heading.end(), {"all depths", "95% interval", "value alone"});
  std::vector<std::vector<std::string>> rows{std::move(heading)};
  const std::size_t depths = options.depths.size();
  std::vector<train::RetrievalScore> by_depth(depths);
  for (std::size_t i = 0; i < options.lengths.size(); ++i) {
    const auto first = results.scores.begin() + static_cast<std::ptrdiff_t>(i * depths);
    const std::vector<train::RetrievalScore> cells(first,
                                                   first + static_cast<std::ptrdiff_t>(depths));
    const std::int64_t length = options.lengths[i];
    rows.push_back(retrieval_row(fmt::format("{}", length),
                                 std::string(name_of(bounds.at(length - 1))), cells));
    for (std::size_t d = 0; d < depths; ++d) by_depth[d] = retrieval_total({by_depth[d], cells[d]});
  }
  if (options.lengths.size() > 1) rows.push_back(retrieval_row("all", "", by_depth));
  print("{}", format_table(rows));
  print(
      "right: the value and no other number, of {} facts in the text; value alone: and no word "
      "either; trained: prompts of up to {} tokens\n",
      options.distractors + 1, bounds.trained);
}

void print_retrieval_json(const train::RetrievalOptions& options, const RetrievalResults& results,
                          const train::ReachBounds& bounds, const train::Suite& suite,
                          bool each_case, std::int64_t max_new_tokens) {
  nlohmann::ordered_json document = retrieval_total(results.scores).to_json();
  document.erase("length");
  document.erase("depth");
  nlohmann::ordered_json cells = nlohmann::ordered_json::array();
  for (const train::RetrievalScore& score : results.scores) {
    cells.push_back(score.to_json());
    cells.back()["reach"] = name_of(bounds.at(score.length - 1));
  }
  document.update({{"cells", std::move(cells)},
                   {"lengths", options.lengths},
                   {"depths", options.depths},
                   {"distractors", options.distractors},
                   {"seed", options.seed},
                   {"cut", results.evaluation.cut},
                   {"max_new_tokens", max_new_tokens},
                   {"trained_positions", bounds.trained},
                   {"extended_positions", bounds.extended}});
  if (each_case) {
    document["answers"] = train::to_json(results.evaluation, suite, true).at("answers");
  }
  print_json(document);
}

train::Suite make_retrieval(const train::RetrievalOptions& options, train::ChatPrompts& chat,
                            const Common& common) {
  CountProgress progress(
      "text",
      options.lengths.size() * options.depths.size() * static_cast<std::size_t>(options.cases),
      common);
  return train::make_retrieval_suite(options, chat, [&] { progress.done(); });
}

}  // namespace

void add_retrieval_options(CLI::App& command, RetrievalArguments& arguments) {
  train::RetrievalOptions& options = arguments.options;
  CLI::Option* retrieval =
      command
          .add_flag("--retrieval", arguments.chosen,
                    "Asks for facts that stand at depths of long texts, made for the purpose "
                    "(docs/evaluation.md)")
          ->excludes(command.get_option("--data"))
          ->excludes(command.get_option("--suite"));
  const auto add = [&](const char* name, auto& value, const char* what, std::int64_t least,
                       std::int64_t most) {
    return command.add_option(name, value, what)
        ->capture_default_str()
        ->check(CLI::Range(least, most))
        ->needs(retrieval);
  };
  add("--lengths", options.lengths, "Tokens of the prompts, 256,512,1024", 1, train::kMaxSeqLen)
      ->delimiter(',');
  add("--depths", options.depths, "Where the fact stands, in percent of the text, 0,25,50,75,100",
      0, 100)
      ->delimiter(',');
  add("--cases", options.cases, "Texts of each length and depth", 1, 100'000);
  add("--distractors", options.distractors, "Other facts of the same form in each text", 0,
      kMostDistractors);
  command.add_option("--seed", options.seed, "Seed of the texts")
      ->capture_default_str()
      ->needs(retrieval);
}

void run_retrieval(const std::string& model, const std::string& adapter,
                   const RetrievalArguments& arguments, const SuiteArguments& suite_arguments,
                   const Common& common) {
  const train::RetrievalOptions& options = arguments.options;
  const std::int64_t max_new_tokens = suite_arguments.max_new_tokens.value_or(kAnswerTokens);
  const ModelPaths paths = locate_model(model, common);
  const text::Tokenizer tokenizer = load_tokenizer(common, paths.tokenizer);
  train::ChatPrompts chat(paths.tokenizer, tokenizer, warner(common));
  const train::Suite suite = make_retrieval(options, chat, common);
  const Prompts prompts = train::encode_cases(suite, chat);
  const auto loaded = load_model(paths, {.warn = warner(common), .adapter = adapter});
  check_prompts("--retrieval", prompts, *loaded, max_new_tokens, common);
  const GenerateOptions settings = suite_settings(paths, *loaded, chat, max_new_tokens, common);
  RetrievalResults results;
  results.evaluation = answer_suite(suite, prompts, *loaded, tokenizer, settings,
                                    suite_arguments.batch_size, common);
  results.scores = train::score_retrieval(options, results.evaluation);
  const train::ReachBounds bounds = train::ReachBounds::of(loaded->config().rope);
  if (common.json) {
    return print_retrieval_json(options, results, bounds, suite, suite_arguments.failures,
                                max_new_tokens);
  }
  print_retrieval(options, results, bounds);
  if (suite_arguments.failures) print_failures(suite, results.evaluation);
}

}  // namespace gladius::cli
