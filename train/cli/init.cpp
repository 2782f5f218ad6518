// gladius init: a model with fresh weights.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/random.h"
#include "gladius/train/text_format.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct Options {
  std::string config, out, tokenizer, dtype;
  std::uint64_t seed = 0;
};

void init(const Options& options, const Common& common) {
  if (!options.tokenizer.empty()) tokenizer_files(options.tokenizer);  // fails before the work
  CausalLM model(ModelConfig::load(options.config));
  require_vacant(options.out);
  Generator generator(options.seed);
  model.init_weights(generator);
  SaveOptions save;
  if (!options.dtype.empty()) save.dtype = dtype_from_name(options.dtype);
  save_model(options.out, model, save);
  if (!options.tokenizer.empty()) copy_tokenizer(options.tokenizer, options.out);
  if (common.json) {
    print_json({{"model", options.out},
                {"architecture", model.config().architecture},
                {"parameters", model.num_parameters()},
                {"seed", options.seed}});
  } else {
    fmt::print("{}: {} with {} parameters, seed {}\n", options.out, model.config().architecture,
               format_count(model.num_parameters()), options.seed);
  }
}

}  // namespace

void add_init(CLI::App& program, const Common& common) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(program, "init", "Writes a model directory with fresh weights",
                  "gladius init --config configs/gladius-125m.json --out student --seed 1");
  command->add_option("--config", options->config, "config.json of the model")->required();
  command->add_option("--out", options->out, "Directory to write; must not hold anything yet")
      ->required();
  command->add_option("--seed", options->seed, "Seed of the weights")->capture_default_str();
  command->add_option("--tokenizer", options->tokenizer,
                      "Directory whose tokenizer and chat template are copied");
  add_dtype_option(*command, options->dtype)->description("Type of the weights (default: f32)");
  command->callback([options, &common] { init(*options, common); });
}

}  // namespace gladius::cli
