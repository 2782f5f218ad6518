// gladius eval: how well a model predicts a data file.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/evaluate.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct EvalArguments {
  std::string model;
  std::vector<std::filesystem::path> data;
  std::int64_t max_seq_len = 512;
  LossOn loss_on = LossOn::all;
  bool skip_bad_lines = false;
};

LossOn loss_on_from_name(const std::string& name) {
  return name == "all" ? LossOn::all : LossOn::assistant;
}

void run(const EvalArguments& options, const Common& common) {
  const ModelPaths paths = locate_model(options.model, common);
  const CausalLM model = load_model(paths);
  std::shared_ptr<const TextEncoder> encoder;
  if (std::filesystem::exists(paths.tokenizer / "tokenizer.json")) {
    encoder = std::make_shared<const TextEncoder>(paths.tokenizer);
  }
  const Evaluation evaluation = *evaluate(
      model,
      Dataset::open(options.data, encoder,
                    {.max_seq_len = options.max_seq_len,
                     .loss_on = options.loss_on,
                     .vocab_size = model.config().vocab_size,
                     .on_bad_line = options.skip_bad_lines ? OnBadLine::skip : OnBadLine::fail,
                     .warn = [&](const std::string& text) { warn(common, text); }}));
  if (common.json) {
    print("{}\n", evaluation.to_json().dump());
    return;
  }
  print("sequences      {}\ntokens         {}\ncross-entropy  {:.6f}\nperplexity     {:.4f}\n",
        evaluation.sequences, evaluation.tokens, evaluation.cross_entropy, evaluation.perplexity);
  if (evaluation.skipped_lines > 0) print("bad lines      {}\n", evaluation.skipped_lines);
}

}  // namespace

void add_eval(CLI::App& program, const Common& common) {
  CLI::App* command =
      add_command(program, "eval", "Mean cross-entropy and perplexity per token of data files",
                  "gladius eval --model runs/mine/model --data configs/default/eval.jsonl");
  const auto options = std::make_shared<EvalArguments>();
  add_model_option(*command, options->model);
  command
      ->add_option("--data", options->data,
                   "Files as for training, .jsonl or .txt, or patterns in quotes: 'data/*.jsonl'")
      ->required();
  command->add_option("--max-seq-len", options->max_seq_len, "Where sequences are cut")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option_function<std::string>(
          "--loss-on",
          [options](const std::string& name) { options->loss_on = loss_on_from_name(name); },
          "Tokens that count: all, or what the assistant says")
      ->check(check_loss_on);
  command->add_flag("--skip-bad-lines", options->skip_bad_lines,
                    "Passes over lines that are no examples, and counts them");
  command->callback([options, &common] { run(*options, common); });
}

}  // namespace gladius::cli
