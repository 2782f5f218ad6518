// gladius convert: the weights in another type or in other shards.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/text_format.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertArguments {
  std::string model, out;
  std::optional<Dtype> dtype;
  std::uint64_t max_shard_size = SaveOptions{}.max_shard_size;
};

void convert(const ConvertArguments& options, const Common& common) {
  require_vacant(options.out);
  const ModelPaths paths = locate_model(options.model, common);
  const auto model = load_model(paths, {.warn = warner(common)});
  save_model(
      options.out, *model,
      {.max_shard_size = options.max_shard_size, .dtype = options.dtype, .warn = warner(common)});
  copy_companions(paths, options.out);
  std::uint64_t bytes = 0;
  const auto files = open_weights(options.out);
  for (const SafetensorsFile& file : files) bytes += file.file_size();
  if (common.json) {
    print_json({{"model", options.out},
                {"dtype", name_of(*options.dtype)},
                {"parameters", model->num_parameters()},
                {"files", files.size()},
                {"bytes", bytes}});
  } else {
    print("{}: {} parameters as {}, {} in {} file{}\n", options.out,
          format_count(model->num_parameters()), name_of(*options.dtype), format_bytes(bytes),
          files.size(), files.size() == 1 ? "" : "s");
  }
}

}  // namespace

void add_convert(CLI::App& program, const Common& common) {
  auto options = std::make_shared<ConvertArguments>();
  CLI::App* command =
      add_command(program, "convert", "Rewrites a model's weights in another type or in shards",
                  "gladius convert --model student --dtype bf16 --out student-bf16");
  add_model_option(*command, options->model);
  add_dtype_option(*command, options->dtype)->required();
  command->add_option("--out", options->out, "Directory to write; must not hold anything yet")
      ->required();
  command
      ->add_option("--max-shard-size", options->max_shard_size,
                   "Largest size of a weight file, such as 500MB (default: 5GB)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->check(CLI::PositiveNumber);
  command->callback([options, &common] { convert(*options, common); });
}

}  // namespace gladius::cli
