// gladius eval: how well a model predicts a data file, or answers a suite of cases.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "answering.h"
#include "commands.h"
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
  bool skip_bad_lines = false;
  SuiteArguments suite;
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
  const bool all_given = options.max_seq_len && options.loss_on;
  const auto of_run = all_given ? std::nullopt : train::settings_of_run(options.model);
  if (of_run) {
    settings = {.max_seq_len = of_run->max_seq_len,
                .loss_on = of_run->loss_on,
                .from = of_run->file.string()};
  }
  if (all_given) {
    settings.from = "options";
  } else if (options.max_seq_len || options.loss_on) {
    settings.from = "options, " + settings.from;
  }
  settings.max_seq_len = options.max_seq_len.value_or(settings.max_seq_len);
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

void print_as_json(const train::Evaluation& evaluation, const Settings& settings) {
  nlohmann::ordered_json document = evaluation.to_json();
  document.update({{"max_seq_len", settings.max_seq_len},
                   {"loss_on", name_of(settings.loss_on)},
                   {"settings_from", settings.from}});
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

void run_data(const EvalArguments& options, const Common& common) {
  const Settings settings = resolve(options);
  const ModelPaths paths = locate_model(options.model, common);
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  const train::Dataset examples =
      open_data(options, settings, load_encoder(paths.tokenizer), *model, common);
  const train::Evaluation evaluation = *train::evaluate(*model, examples);
  if (!evaluation.is_finite()) {
    throw Error(fmt::format("{}: the cross-entropy is {}: {}", options.model,
                            evaluation.cross_entropy, train::explain_nonfinite(*model)));
  }
  const train::DataCounts& data = evaluation.data;
  if (data.truncated > 0 || data.unlabelled > 0) {
    warn(common, train::describe(data, settings.max_seq_len));
  }
  warn_of_length(common, model->config(), data.longest);
  common.json ? print_as_json(evaluation, settings) : print_as_text(evaluation, settings);
}

void add_data_options(CLI::App& command, EvalArguments& options) {
  CLI::Option* data = command.add_option(
      "--data", options.data,
      "Files as for training, .jsonl or .txt, or patterns in quotes: 'data/*.jsonl'");
  command
      .add_option("--max-seq-len", options.max_seq_len,
                  "Where sequences are cut (default: as the run did that the model lies in, else "
                  "512)")
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
}

void add_suite_options(CLI::App& command, SuiteArguments& options) {
  CLI::Option* suite =
      command
          .add_option("--suite", options.file,
                      "A suite of cases (.jsonl) that the model is to answer: calls of tools, "
                      "texts, JSON, refusals (docs/evaluation.md)")
          ->excludes(command.get_option("--data"));
  command
      .add_option("--answers", options.answers,
                  "The right answers, where the suite is a file of the Berkeley Function Calling "
                  "Leaderboard (its possible_answer/ has them)")
      ->needs(suite);
  command
      .add_flag("--failures", options.failures,
                "Lists the cases that are not right, with the model's output; with --json every "
                "case")
      ->needs(suite);
  command
      .add_flag("--constrained", options.constrained,
                "Answers the cases that expect a call of their tools or JSON a second time, with "
                "only tokens that lead to such an answer, and prints both results")
      ->needs(suite);
  command
      .add_option("--max-new-tokens", options.max_new_tokens, "Most tokens of an answer to a case")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, train::kMaxSeqLen))
      ->needs(suite);
  add_batch_size_option(command, options.batch_size)->needs(suite);
}

}  // namespace

void add_eval(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "eval",
      "Mean cross-entropy, perplexity and bits per byte of data files, or how many cases of a "
      "suite are answered right",
      "gladius eval --model runs/mine/model --data configs/default/eval.jsonl\n"
      "  gladius eval --model runs/mine/model --suite tools.jsonl --failures");
  const auto options = std::make_shared<EvalArguments>();
  add_model_option(*command, options->model);
  add_adapter_option(*command, options->adapter);
  add_data_options(*command, *options);
  add_suite_options(*command, options->suite);
  command->callback([options, &common] {
    if (!options->suite.file.empty()) {
      return run_suite(options->model, options->adapter, options->suite, common);
    }
    if (options->data.empty()) throw CLI::RequiredError("--data or --suite");
    run_data(*options, common);
  });
}

}  // namespace gladius::cli
