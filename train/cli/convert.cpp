// gladius convert: the weights in another type, in other shards, or as a GGUF file.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/models/gguf_export.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/text_format.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

namespace fs = std::filesystem;

enum class Format { safetensors, gguf };

struct ConvertArguments {
  std::string model, adapter, out;
  Format to = Format::safetensors;
  std::optional<Dtype> dtype;
  std::uint64_t max_shard_size = SaveOptions{}.max_shard_size;
};

// What has been written.
void tell(const ConvertArguments& options, const LanguageModel& model, std::uint64_t bytes,
          std::size_t files, const Common& common) {
  if (common.json) {
    print_json({{"model", options.out},
                {"dtype", name_of(*options.dtype)},
                {"parameters", model.num_parameters()},
                {"files", files},
                {"bytes", bytes}});
  } else {
    print("{}: {} parameters as {}, {} in {} file{}\n", options.out,
          format_count(model.num_parameters()), name_of(*options.dtype), format_bytes(bytes), files,
          files == 1 ? "" : "s");
  }
}

void to_directory(const ConvertArguments& options, const Common& common) {
  if (is_quantized(*options.dtype)) {
    throw ConfigError(
        fmt::format("--dtype {}: only GGUF files have it; add --to gguf", name_of(*options.dtype)));
  }
  if (fs::path(options.out).extension() == ".gguf") {
    throw ConfigError(fmt::format("--out {}: to write a GGUF file, add --to gguf", options.out));
  }
  require_vacant(options.out);
  const ModelPaths paths = locate_model(options.model, common);
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  save_model(
      options.out, *model,
      {.max_shard_size = options.max_shard_size, .dtype = options.dtype, .warn = warner(common)});
  copy_companions(paths, options.out);
  std::uint64_t bytes = 0;
  const auto files = open_weights(options.out);
  for (const SafetensorsFile& file : files) bytes += file.file_size();
  tell(options, *model, bytes, files.size(), common);
}

void to_gguf(const ConvertArguments& options, const Common& common) {
  if (is_there(options.out)) {
    throw IoError(
        fmt::format("{} exists; nothing is overwritten, so choose another file", options.out));
  }
  if (options.max_shard_size != SaveOptions{}.max_shard_size) {
    throw ConfigError("--max-shard-size: a GGUF file is written whole; leave it out");
  }
  const ModelPaths paths = locate_model(options.model, common);
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  save_gguf(options.out, *model, paths, *options.dtype, warner(common));
  tell(options, *model, fs::file_size(options.out), 1, common);
}

void convert(const ConvertArguments& options, const Common& common) {
  options.to == Format::gguf ? to_gguf(options, common) : to_directory(options, common);
}

}  // namespace
}  // namespace gladius::cli

namespace gladius {
template <>
inline constexpr EnumName<cli::Format> kEnumNames<cli::Format>[] = {
    {cli::Format::safetensors, "safetensors"}, {cli::Format::gguf, "gguf"}};
}  // namespace gladius

namespace gladius::cli {

void add_convert(CLI::App& program, const Common& common) {
  auto options = std::make_shared<ConvertArguments>();
  CLI::App* command =
      add_command(program, "convert",
                  "Rewrites a model's weights in another type, in shards, or as a GGUF file",
                  "gladius convert --model student --dtype bf16 --out student-bf16\n  "
                  "gladius convert --model student --to gguf --dtype q8_0 --out student.gguf");
  add_model_option(*command, options->model);
  add_adapter_option(*command, options->adapter);
  add_choice(*command, "--to", options->to,
             "safetensors (a model directory, the default) or gguf (one file)");
  add_choice<std::optional<Dtype>, Dtype>(*command, "--dtype", options->dtype,
                                          "Type of the weights: f32, bf16 or f16; with --to gguf "
                                          "also q8_0, q4_0, q4_1, q5_0, q5_1, q4_k or q6_k")
      ->required();
  command
      ->add_option("--out", options->out,
                   "Directory or GGUF file to write; must not be there or hold anything yet")
      ->type_name("PATH")
      ->required();
  command
      ->add_option("--max-shard-size", options->max_shard_size,
                   "Largest size of a weight file, such as 500MB (default: 5GB)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->check(CLI::PositiveNumber);
  command->callback([options, &common] { convert(*options, common); });
}

}  // namespace gladius::cli
