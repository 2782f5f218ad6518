// gladius eval: how well a model predicts a data file.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/evaluate.h"

namespace gladius::cli {
namespace {

struct Options {
  std::string model, data;
  std::int64_t max_seq_len = 512;
  LossOn loss_on = LossOn::all;
};

void run(const Options& options, const Common& common) {
  const CausalLM model = load_model(options.model);
  std::optional<TextEncoder> encoder;
  if (std::filesystem::exists(std::filesystem::path(options.model) / "tokenizer.json")) {
    encoder.emplace(options.model);
  }
  const Evaluation evaluation =
      evaluate(model, load_dataset(options.data, encoder ? &*encoder : nullptr,
                                   {.max_seq_len = options.max_seq_len,
                                    .loss_on = options.loss_on,
                                    .vocab_size = model.config().vocab_size}));
  if (common.json) {
    fmt::print("{}\n", evaluation.to_json().dump());
    return;
  }
  fmt::print("sequences      {}\ntokens         {}\ncross-entropy  {:.6f}\nperplexity     {:.4f}\n",
             evaluation.sequences, evaluation.tokens, evaluation.cross_entropy,
             evaluation.perplexity);
}

}  // namespace

void add_eval(CLI::App& program, const Common& common) {
  auto* command =
      program.add_subcommand("eval", "Mean cross-entropy and perplexity per token of a data file");
  const auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "Model directory")->required();
  command->add_option("--data", options->data, "A .jsonl or .txt file, as for training")
      ->required();
  command->add_option("--max-seq-len", options->max_seq_len, "Where sequences are cut")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--loss-on", options->loss_on, "Tokens that count: all, or the assistant's")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, LossOn>{{"all", LossOn::all}, {"assistant", LossOn::assistant}}));
  command->footer(
      "Example: gladius eval --model runs/mine/model --data configs/default/eval.jsonl");
  command->callback([options, &common] { run(*options, common); });
}

}  // namespace gladius::cli
