// gladius eval: how well a model predicts a data file, or answers a suite of cases.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "answering.h"
#include "commands.h"
#include "eval_positions.h"
#include "eval_retrieval.h"
#include "eval_suite.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/loop/evaluate.h"
#include "gladius/train/loop/nonfinite.h"
#include "gladius/train/run/run_settings.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct EvalArguments {
  std::string model, adapter;
  std::vector<std::filesystem::path> data;
  std::optional<std::int64_t> max_seq_len;
  std::optional<train::LossOn> loss_on;
  bool skip_bad_lines = false, by_position = false;
  SuiteArguments suite;
  RetrievalArguments retrieval;
};

// How the data is read, and why so.
struct Settings {
  std::int64_t max_seq_len = 512;
  train::LossOn loss_on = train::LossOn::all;
  std::string from = "defaults";
};

// The command line's, else those of the run that the model comes from, else the defaults.
Settings resolve(const EvalArguments& options) {
  Settings settings;
  std::optional<std::int64_t> length = options.max_seq_len;
  if (options.by_position && !length) length = kPositionsLength;
  const bool all_given = length && options.loss_on;
  const auto of_run = all_given ? std::nullopt : train::settings_of_run(options.model);
  if (of_run) {
    settings = {.max_seq_len = of_run->max_seq_len,
                .loss_on = of_run->loss_on,
                .from = of_run->file.string()};
  }
  if (all_given) {
    settings.from = "options";
  } else if (length || options.loss_on) {
    settings.from = "options, " + settings.from;
  }
  settings.max_seq_len = length.value_or(settings.max_seq_len);
  settings.loss_on = options.loss_on.value_or(settings.loss_on);
  return settings;
}

// Null where the model has no tokenizer.
std::shared_ptr<const train::TextEncoder> load_encoder(const std::filesystem::path& directory) {
  if (!text::has_tokenizer(directory)) return nullptr;
  return std::make_shared<const train::TextEncoder>(directory);
}

train::Dataset open_data(const EvalArguments& options, const Settings& settings,
                         std::shared_ptr<const train::TextEncoder> encoder,
                         const LanguageModel& model, const Common& common) {
  return train::Dataset::open(
      options.data, std::move(encoder),
      {.max_seq_len = settings.max_seq_len,
       .loss_on = settings.loss_on,
       .vocab_size = model.config().vocab_size,
       .on_bad_line = options.skip_bad_lines ? train::OnBadLine::skip : train::OnBadLine::fail,
       .warn = [&](const std::string& text) { warn(common, text); }});
}

void print_as_json(const train::Evaluation& evaluation, const Settings& settings,
                   const std::optional<PositionTable>& positions) {
  nlohmann::ordered_json document = evaluation.to_json();
  document.update({{"max_seq_len", settings.max_seq_len},
                   {"loss_on", name_of(settings.loss_on)},
                   {"settings_from", settings.from}});
  if (positions) document.update(positions->to_json());
  print_json(document);
}

void print_as_text(const train::Evaluation& evaluation, const Settings& settings) {
  print("settings       max_seq_len {}, loss_on {} ({})\n", settings.max_seq_len,
        name_of(settings.loss_on), settings.from);
  print("examples       {}\ntruncated      {}\ntokens         {}\n", evaluation.data.examples,
        evaluation.data.truncated, evaluation.tokens);
  print("cross-entropy  {:.6f}\nperplexity     {:.4f}\n", evaluation.cross_entropy,
        evaluation.perplexity);
  if (evaluation.bits_per_byte) {
    print("bits per byte  {:.4f} (over {} bytes)\n", *evaluation.bits_per_byte, *evaluation.bytes);
  }
  if (evaluation.skipped_lines > 0) print("bad lines      {}\n", evaluation.skipped_lines);
}

train::Evaluation evaluate_data(const LanguageModel& model, const train::Dataset& data,
                                std::optional<PositionTable>& positions, const Common& common) {
  if (!positions) return *train::evaluate(model, data);
  CountProgress progress("text", static_cast<std::size_t>(data.size()), common);
  return *train::evaluate(
      model, data, [] { return false; },
      [&](const train::Example& example, std::span<const float> losses) {
        positions->add(example, losses);
        progress.done();
      });
}

void run_data(const EvalArguments& options, const Common& common) {
  const Settings settings = resolve(options);
  const ModelPaths paths = locate_model(options.model, common);
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  const train::Dataset examples =
      open_data(options, settings, load_encoder(paths.tokenizer), *model, common);
  std::optional<PositionTable> positions;
  if (options.by_position) {
    positions.emplace(model->config(), examples, settings.max_seq_len);
  }
  const train::Evaluation evaluation = evaluate_data(*model, examples, positions, common);
  if (!evaluation.is_finite()) {
    throw Error(fmt::format("{}: the cross-entropy is {}: {}", options.model,
                            evaluation.cross_entropy, train::explain_nonfinite(*model)));
  }
  const train::DataCounts& data = evaluation.data;
  if (data.truncated > 0 || data.unlabelled > 0) {
    warn(common, train::describe(data, settings.max_seq_len));
  }
  if (!positions) warn_of_length(common, model->config(), data.longest);
  if (common.json) return print_as_json(evaluation, settings, positions);
  print_as_text(evaluation, settings);
  if (positions) positions->print_as_text();
}

void add_data_options(CLI::App& command, EvalArguments& options) {
  CLI::Option* data =
      command
          .add_option(
              "--data", options.data,
              "Files as for training, .jsonl or .txt, or patterns in quotes: 'data/*.jsonl'")
          ->type_name("FILE");
  command
      .add_option("--max-seq-len", options.max_seq_len,
                  "Where sequences are cut (default: as the run did that the model lies in, else "
                  "512; with --by-position 4096)")
      ->check(CLI::Range(std::int64_t{1}, train::kMaxSeqLen))
      ->needs(data);
  add_loss_on(command, options.loss_on,
              "What counts: all (every token) or assistant (what the assistant wrote); default: "
              "the run's, else all")
      ->needs(data);
  command
      .add_flag("--skip-bad-lines", options.skip_bad_lines,
                "Passes over lines that are no examples, and counts them")
      ->needs(data);
  command
      .add_flag("--by-position", options.by_position,
                "Also the loss by position: of the first 64 tokens of each text, the next 64, 128, "
                "256 ..., with marks beyond the positions that the model was trained on")
      ->needs(data);
}

void add_suite_options(CLI::App& command, SuiteArguments& options) {
  CLI::Option* suite =
      command
          .add_option("--suite", options.file,
                      "A suite of cases (.jsonl) that the model is to answer: calls of tools, "
                      "texts, JSON, refusals (docs/evaluation.md)")
          ->type_name("FILE")
          ->excludes(command.get_option("--data"));
  command
      .add_option("--answers", options.answers,
                  "The right answers, where the suite is a file of the Berkeley Function Calling "
                  "Leaderboard (its possible_answer/ has them)")
      ->type_name("FILE")
      ->needs(suite);
  command
      .add_flag("--constrained", options.constrained,
                "Answers the cases that expect a call of their tools or JSON a second time, with "
                "only tokens that lead to such an answer, and prints both results")
      ->needs(suite);
}

// Of suites, and of retrieval.
void add_answer_options(CLI::App& command, SuiteArguments& options) {
  command.add_flag("--failures", options.failures,
                   "Lists the cases that are not right, with the model's output; with --json every "
                   "case");
  command
      .add_option("--max-new-tokens", options.max_new_tokens,
                  "Most tokens of an answer to a case (default: 256; with --retrieval 32)")
      ->check(CLI::Range(std::int64_t{1}, train::kMaxSeqLen));
  add_batch_size_option(command, options.batch_size);
}

void require_cases(const CLI::App& command) {
  for (const char* name : {"--failures", "--max-new-tokens", "--batch-size"}) {
    if (command.count(name) > 0) throw CLI::RequiresError(name, "--suite or --retrieval");
  }
}

}  // namespace

void add_eval(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "eval",
      "Mean cross-entropy, perplexity and bits per byte of data files, or how many cases of a "
      "suite are answered right, or how many facts of long texts are found",
      "gladius eval --model runs/mine/model --data configs/default/eval.jsonl\n"
      "  gladius eval --model runs/mine/model --suite tools.jsonl --failures\n"
      "  gladius eval --model runs/mine/model --retrieval --lengths 512,1024 --cases 20");
  const auto options = std::make_shared<EvalArguments>();
  add_model_option(*command, options->model);
  add_adapter_option(*command, options->adapter);
  add_data_options(*command, *options);
  add_suite_options(*command, options->suite);
  add_retrieval_options(*command, options->retrieval);
  add_answer_options(*command, options->suite);
  command->callback([options, command, &common] {
    if (!options->suite.file.empty()) {
      return run_suite(options->model, options->adapter, options->suite, common);
    }
    if (options->retrieval.chosen) {
      return run_retrieval(options->model, options->adapter, options->retrieval, options->suite,
                           common);
    }
    require_cases(*command);
    if (options->data.empty()) throw CLI::RequiredError("--data, --suite or --retrieval");
    run_data(*options, common);
  });
}

}  // namespace gladius::cli
