// gladius init: a model with fresh weights.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/tensor/random.h"
#include "gladius/train/run/memory.h"
#include "gladius/train/run/model_paths.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

namespace fs = std::filesystem;

struct InitArguments {
  std::string config, out, tokenizer;
  std::optional<Dtype> dtype;
  std::uint64_t seed = 0;
};

// A slip in a size is told by the sizes, before the machine runs out of memory.
void require_memory_for_weights(const LanguageModel& model, const std::string& file) {
  const ModelConfig& config = model.config();
  const std::int64_t parameters = model.num_parameters();
  const auto bytes = static_cast<std::uint64_t>(parameters) * sizeof(float);
  const auto available = train::available_memory();
  if (!available || bytes <= available->bytes) return;
  throw ConfigError(fmt::format(
      "{}: vocab_size {}, hidden_size {}, intermediate_size {}, num_hidden_layers {}, "
      "num_attention_heads {} and head_dim {} make {} parameters, whose float32 weights take {}, "
      "and {} are available ({}); choose smaller sizes",
      file, config.vocab_size, config.hidden_size, config.intermediate_size,
      config.num_hidden_layers, config.num_attention_heads, config.head_dim,
      format_count(parameters), format_bytes(bytes), format_bytes(available->bytes),
      available->limited_by));
}

void init(const InitArguments& options, const Common& common) {
  fs::path tokenizer;
  if (!options.tokenizer.empty()) {
    tokenizer = locate_model(options.tokenizer, common).tokenizer;
    tokenizer_files(tokenizer);  // fails before the work
  }
  const auto model = make_language_model(ModelConfig::load(train::find_config(options.config)));
  require_memory_for_weights(*model, options.config);
  require_vacant(options.out);
  Generator generator(options.seed);
  model->init_weights(generator);
  save_model(options.out, *model, {.dtype = options.dtype});
  if (!tokenizer.empty()) copy_tokenizer(tokenizer, options.out);
  if (common.json) {
    print_json({{"model", options.out},
                {"architecture", model->config().architecture},
                {"parameters", model->num_parameters()},
                {"seed", options.seed}});
  } else {
    print("{}: {} with {} parameters, seed {}\n", options.out, model->config().architecture,
          format_count(model->num_parameters()), options.seed);
  }
}

}  // namespace

void add_init(CLI::App& program, const Common& common) {
  auto options = std::make_shared<InitArguments>();
  CLI::App* command =
      add_command(program, "init", "Writes a model directory with fresh weights",
                  "gladius init --config configs/gladius-125m.json --out student --seed 1");
  add_subject(*command, "--config,CONFIG", options->config,
              "config.json of the model, or a directory that has one");
  command->add_option("--out", options->out, "Directory to write; must not hold anything yet")
      ->type_name("DIR")
      ->required();
  command->add_option("--seed", options->seed, "Seed of the weights")->capture_default_str();
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "Directory whose tokenizer and chat template are copied")
      ->type_name("PATH");
  add_dtype_option(*command, options->dtype)->description("Type of the weights (default: f32)");
  command->callback([options, &common] { init(*options, common); });
}

}  // namespace gladius::cli
