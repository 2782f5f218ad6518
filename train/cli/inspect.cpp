// gladius inspect: what a model, a safetensors or a GGUF file consists of.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "commands.h"
#include "gladius/models/gguf/file.h"
#include "gladius/models/gguf/tensor_names.h"
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

struct WeightFile {
  fs::path path;
  std::string format;  // "safetensors (no metadata)"
  Json metadata;
  std::vector<SafetensorsEntry> entries;  // under Hugging Face's names
};

struct Subject {
  std::vector<WeightFile> files;
  std::optional<ModelConfig> config;  // of a whole model

  std::vector<SafetensorsEntry> entries() const {
    std::vector<SafetensorsEntry> all;
    for (const WeightFile& file : files) {
      all.insert(all.end(), file.entries.begin(), file.entries.end());
    }
    return all;
  }
};

WeightFile describe(const SafetensorsFile& file) {
  return {.path = file.path(),
          .format = fmt::format("safetensors ({})", train::metadata_of(file)),
          .metadata = file.metadata(),
          .entries = file.entries()};
}

// A key's value; of an array, how long it is.
Json shown(const gguf::Value& value) {
  return std::visit(
      []<class T>(const T& plain) {
        if constexpr (std::is_same_v<T, gguf::Array>) {
          return Json(fmt::format("array of {}", gguf::size_of(plain)));
        } else {
          return Json(plain);
        }
      },
      value.value);
}

WeightFile describe(const gguf::File& file) {
  WeightFile described{.path = file.path(),
                       .format = fmt::format("GGUF (version {}, {} keys)", file.header().version,
                                             file.header().keys.size()),
                       .metadata = Json::object(),
                       .entries = {}};
  for (const auto& [key, value] : file.header().keys) described.metadata[key] = shown(value);
  for (const gguf::TensorInfo& info : file.header().tensors) {
    described.entries.push_back({.name = gguf::hugging_face_name(info.name).value_or(info.name),
                                 .dtype = {.name = info.type->name, .bits = 0, .dtype = {}},
                                 .shape = Shape(info.shape.begin(), info.shape.end()),
                                 .begin = info.begin,
                                 .end = info.end});
  }
  return described;
}

Subject open(const std::string& path, const Common& common) {
  if (!fs::exists(path)) throw IoError(fmt::format("{} does not exist", path));
  if (gguf::is_gguf(path)) {
    return {{describe(gguf::File::open(path))}, ModelConfig::load(path)};
  }
  if (!fs::is_directory(path)) return {{describe(SafetensorsFile::open(path))}, std::nullopt};
  const ModelPaths paths = locate_model(path, common);
  Subject subject{{}, ModelConfig::load(paths.config)};
  for (const SafetensorsFile& file : open_weights(paths.weights)) {
    subject.files.push_back(describe(file));
  }
  return subject;
}

Json files_as_json(const Subject& subject) {
  Json files = Json::array();
  for (const WeightFile& file : subject.files) {
    files.push_back({{"name", file.path.filename().string()},
                     {"bytes", fs::file_size(file.path)},
                     {"sha256", sha256_file(file.path)},
                     {"metadata", file.metadata}});
  }
  return files;
}

Json tensors_as_json(const Subject& subject) {
  Json tensors = Json::array();
  for (const WeightFile& file : subject.files) {
    for (const SafetensorsEntry& entry : file.entries) {
      tensors.push_back({{"name", entry.name},
                         {"dtype", entry.dtype.name},
                         {"shape", entry.shape},
                         {"parameters", numel(entry.shape)},
                         {"bytes", entry.end - entry.begin},
                         {"file", file.path.filename().string()}});
    }
  }
  return tensors;
}

// As the weights are stored, trained in F32; and by precision.
Json memory_as_json(const LanguageModel& model, const train::Components& parts,
                    std::uint64_t stored_bytes) {
  const auto inference = [&](std::uint64_t weights) {
    return train::inference_memory(model, weights, train::kEstimatedTokens).required();
  };
  const auto training = [&](std::uint64_t type_size) {
    return train::training_memory(model, parts.total(), type_size, train::kEstimatedTokens)
        .required();
  };
  Json precisions = Json::array();
  for (const train::StoragePrecision& precision : train::kPrecisions) {
    const std::uint64_t weights = precision.bytes(parts.total());
    precisions.push_back(
        {{"precision", precision.name},
         {"weights_bytes", weights},
         {"inference_bytes", inference(weights)},
         {"training_bytes", precision.trains ? Json(training(precision.bits / 8)) : Json()}});
  }
  return {{"tokens", train::kEstimatedTokens},
          {"weights_bytes", stored_bytes},
          {"inference_bytes", inference(stored_bytes)},
          {"training_bytes", training(sizeof(float))},
          {"precisions", precisions}};
}

Json document_of(const std::string& path, const Subject& subject) {
  const train::Components parts = train::count_components(subject.entries());
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
    document["memory"] = memory_as_json(*make_language_model(*subject.config), parts,
                                        train::weight_bytes(subject.entries()));
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
  for (const WeightFile& file : subject.files) {
    const std::uint64_t bytes = fs::file_size(file.path);
    print("{}: {} bytes ({})\n", file.path.filename().string(),
          format_count(static_cast<std::int64_t>(bytes)), format_bytes(bytes));
    print("{}, {} tensors, {}\nSHA-256 {}\n\n", file.format, file.entries.size(),
          train::types_of(file.entries), sha256_file(file.path));
  }
}

void print_tensors(const Subject& subject) {
  train::TableRows rows{{"tensor", "dtype", "shape", "parameters", "bytes"}};
  for (const WeightFile& file : subject.files) {
    for (const SafetensorsEntry& entry : file.entries) {
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
  const train::Components parts = train::count_components(subject.entries());
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
  CLI::App* command = add_command(
      program, "inspect", "Shows what a model directory, safetensors or GGUF file consists of",
      "gladius inspect student --json");
  add_subject(*command, "--model,PATH", *path,
              "safetensors or GGUF file, model directory, run directory, checkpoint, or "
              "models--ORG--NAME of a cache");
  command->callback([path, &common] { inspect(*path, common); });
}

}  // namespace gladius::cli
