// gladius inspect: what a model or a safetensors file consists of.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/report/model_tables.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Subject {
  std::vector<SafetensorsFile> files;
  std::optional<ModelConfig> config;  // of a model directory
};

Subject open(const std::string& path, const Common& common) {
  if (!fs::exists(path)) throw IoError(fmt::format("{} does not exist", path));
  if (!fs::is_directory(path)) return {{SafetensorsFile::open(path)}, std::nullopt};
  const ModelPaths paths = locate_model(path, common);
  const ModelConfig config = ModelConfig::load(paths.config);
  return {open_weights(paths.weights), config};
}

Json files_as_json(const Subject& subject) {
  Json files = Json::array();
  for (const SafetensorsFile& file : subject.files) {
    files.push_back({{"name", file.path().filename().string()},
                     {"bytes", file.file_size()},
                     {"sha256", sha256_file(file.path())},
                     {"metadata", file.metadata()}});
  }
  return files;
}

Json tensors_as_json(const Subject& subject) {
  Json tensors = Json::array();
  for (const SafetensorsFile& file : subject.files) {
    for (const SafetensorsEntry& entry : file.entries()) {
      tensors.push_back({{"name", entry.name},
                         {"dtype", entry.dtype.name},
                         {"shape", entry.shape},
                         {"parameters", numel(entry.shape)},
                         {"bytes", entry.end - entry.begin},
                         {"file", file.path().filename().string()}});
    }
  }
  return tensors;
}

// As the weights are stored, trained in F32; and by precision.
Json memory_as_json(const LanguageModel& model, const train::Components& parts,
                    const std::vector<SafetensorsFile>& files) {
  const auto inference = [&](std::uint64_t weights) {
    return train::inference_memory(model, weights, train::kEstimatedTokens).required();
  };
  const auto training = [&](std::uint64_t type_size) {
    return train::training_memory(model, parts.total(), type_size, train::kEstimatedTokens)
        .required();
  };
  Json precisions = Json::array();
  for (const train::Precision& precision : train::kPrecisions) {
    const std::uint64_t weights = precision.bytes(parts.total());
    precisions.push_back(
        {{"precision", precision.name},
         {"weights_bytes", weights},
         {"inference_bytes", inference(weights)},
         {"training_bytes", precision.trains ? Json(training(precision.bits / 8)) : Json()}});
  }
  return {{"tokens", train::kEstimatedTokens},
          {"weights_bytes", train::weight_bytes(files)},
          {"inference_bytes", inference(train::weight_bytes(files))},
          {"training_bytes", training(sizeof(float))},
          {"precisions", precisions}};
}

Json document_of(const std::string& path, const Subject& subject) {
  const train::Components parts = train::count_components(subject.files);
  Json document{{"path", path}};
  if (subject.config) {
    document["architecture"] = subject.config->architecture;
    document["config"] = subject.config->source;
  }
  document["parameters"] = parts.total();
  if (subject.config) {
    document["components"] = {{"embedding", parts.embedding},   {"lm_head", parts.head},
                              {"final_norm", parts.final_norm}, {"per_layer", parts.per_layer},
                              {"num_layers", parts.num_layers}, {"layers", parts.layers},
                              {"other", parts.other},           {"total", parts.total()}};
    document["memory"] =
        memory_as_json(*make_language_model(*subject.config), parts, subject.files);
  }
  document["files"] = files_as_json(subject);
  document["tensors"] = tensors_as_json(subject);
  return document;
}

void print_config(const ModelConfig& config) {
  print(
      "{}: {} layers, hidden size {}, {} query and {} key/value heads of {}, "
      "intermediate size {}, vocabulary {}, {} positions\n\n",
      config.architecture, config.num_hidden_layers, config.hidden_size, config.num_attention_heads,
      config.num_key_value_heads, config.head_dim, config.intermediate_size, config.vocab_size,
      config.max_position_embeddings);
}

void print_components(const ModelConfig& config, const train::Components& parts) {
  print("{}\n", format_table(train::component_rows(config, parts)));
  print("{}\n", format_table(train::layer_rows(parts)));
}

void print_memory(const LanguageModel& model, const train::Components& parts) {
  print("{}(estimates for {} tokens)\n\n", format_table(train::memory_rows(model, parts.total())),
        train::kEstimatedTokens);
}

void print_files(const Subject& subject) {
  for (const SafetensorsFile& file : subject.files) {
    print("{}: {} bytes ({})\n", file.path().filename().string(),
          format_count(static_cast<std::int64_t>(file.file_size())),
          format_bytes(file.file_size()));
    print("safetensors ({}), {} tensors, {}\nSHA-256 {}\n\n", train::metadata_of(file),
          file.entries().size(), train::types_of(file), sha256_file(file.path()));
  }
}

void print_tensors(const Subject& subject) {
  train::TableRows rows{{"tensor", "dtype", "shape", "parameters", "bytes"}};
  for (const SafetensorsFile& file : subject.files) {
    for (const SafetensorsEntry& entry : file.entries()) {
      rows.push_back({entry.name, std::string(entry.dtype.name), to_string(entry.shape),
                      format_count(numel(entry.shape)),
                      format_count(static_cast<std::int64_t>(entry.end - entry.begin))});
    }
  }
  print("{}", format_table(rows));
}

void inspect(const std::string& path, const Common& common) {
  const Subject subject = open(path, common);
  if (common.json) {
    print_json(document_of(path, subject));
    return;
  }
  const train::Components parts = train::count_components(subject.files);
  if (subject.config) {
    print_config(*subject.config);
    print_components(*subject.config, parts);
    print_memory(*make_language_model(*subject.config), parts);
  } else {
    print("{} parameters\n\n", format_count(parts.total()));
  }
  print_files(subject);
  print_tensors(subject);
}

}  // namespace

void add_inspect(CLI::App& program, const Common& common) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = add_command(program, "inspect",
                                  "Shows what a model directory or safetensors file consists of",
                                  "gladius inspect student --json");
  add_subject(*command, "--model,PATH", *path,
              "safetensors file, model directory, run directory, checkpoint, or "
              "models--ORG--NAME of a cache");
  command->callback([path, &common] { inspect(*path, common); });
}

}  // namespace gladius::cli
