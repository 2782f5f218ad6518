#include "gladius/models/model_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <system_error>

#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/foreign_model.h"
#include "gladius/models/generation/generation_config.h"
#include "gladius/models/gguf/tokenizer_json.h"
#include "gladius/models/gguf_weights.h"
#include "gladius/models/lora_adapter.h"
#include "gladius/models/narrowing.h"
#include "gladius/models/shard_index.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/atomic_file.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

// Reading ------------------------------------------------------------------------------------

// The shards' tensors and the index's are the same ones.
void check_shards(const fs::path& index_path, const ShardIndex& index,
                  const std::map<std::string, SafetensorsFile>& shards, const Warn& warn) {
  const auto fail = [&](const std::string& what) {
    throw FormatError(fmt::format("{}: {}", index_path.string(), what));
  };
  for (const auto& [tensor, name] : index.weight_map) {
    if (!shards.at(name).contains(tensor)) {
      fail(fmt::format("it says that {} holds tensor {}, but it does not", shortened(name),
                       in_quotes(tensor)));
    }
  }
  std::uint64_t bytes = 0;
  for (const auto& [name, shard] : shards) {
    for (const SafetensorsEntry& entry : shard.entries()) {
      const auto listed = index.weight_map.find(entry.name);
      if (listed == index.weight_map.end()) {
        fail(fmt::format("{} holds tensor {}, which the index does not list", shortened(name),
                         in_quotes(entry.name)));
      }
      if (listed->second != name) {
        fail(fmt::format("tensor {} is in two shards, {} and {}", in_quotes(entry.name),
                         shortened(name), shortened(listed->second)));
      }
      bytes += entry.end - entry.begin;
    }
  }
  // Tools that change a model leave the old number, or count something else; nothing depends on it.
  if (warn && index.total_size && *index.total_size != bytes) {
    warn(fmt::format("{}: metadata.total_size is {}, but the tensors of its shards take {} bytes",
                     index_path.string(), *index.total_size, bytes));
  }
}

std::vector<SafetensorsFile> open_shards(const fs::path& directory, const Warn& warn) {
  const fs::path index_path = directory / kIndex;
  const ShardIndex index = ShardIndex::load(index_path);
  std::map<std::string, SafetensorsFile> shards;
  for (const auto& [tensor, name] : index.weight_map) {
    if (shards.contains(name)) continue;
    if (!is_there(directory / name)) {
      throw IoError(fmt::format("{}: shard {} of {} is missing (it holds {})", directory.string(),
                                shortened(name), kIndex, in_quotes(tensor)));
    }
    shards.emplace(name, SafetensorsFile::open(directory / name));
  }
  check_shards(index_path, index, shards, warn);
  std::vector<SafetensorsFile> files;
  for (const auto& [name, file] : shards) files.push_back(file);
  return files;
}

Tensor as_loaded(const Tensor& stored, const LoadOptions& options) {
  // Others than floating-point are left for load_state_dict to refuse by name.
  if (!options.trainable || !is_floating_point(stored.dtype())) return stored;
  return stored.dtype() == Dtype::F32 ? stored.clone() : stored.to(Dtype::F32);
}

std::string embedding_name(const LanguageModel& model) {
  const auto parameters = model.parameters_with_roles();
  return std::ranges::find(parameters, nn::ParameterRole::embedding, &nn::NamedParameter::role)
      ->name;
}

// Takes a head that repeats the tied embeddings out of the weights.
void drop_tied_head(const std::vector<SafetensorsFile>& files, const std::string& embedding,
                    NamedTensors& weights) {
  const auto head = std::ranges::find(weights, kHeadName, &NamedTensors::value_type::first);
  if (head == weights.end()) return;
  const auto bytes_of = [&](const std::string& name) {
    const auto file = std::ranges::find_if(files, [&](const auto& f) { return f.contains(name); });
    return file == files.end() ? std::span<const std::byte>() : file->bytes(name);
  };
  if (!std::ranges::equal(bytes_of(kHeadName), bytes_of(embedding))) {
    throw FormatError(
        fmt::format("tie_word_embeddings is true, but {} differs from {}; set tie_word_embeddings "
                    "to false in config.json to use both",
                    kHeadName, embedding));
  }
  weights.erase(head);
}

// Names the first of the tensors that belong to no parameter.
void warn_of_extras(const fs::path& directory, const std::vector<std::string>& extras,
                    const LoadOptions& options) {
  constexpr std::size_t kNamed = 3;
  if (extras.empty() || !options.warn) return;
  std::string names;
  for (std::size_t i = 0; i < std::min(kNamed, extras.size()); ++i) {
    names += (i == 0 ? "" : ", ") + in_quotes(extras[i]);
  }
  options.warn(
      fmt::format("{}: {} tensor{} that belong{} to no parameter of the model skipped: {}{}",
                  directory.string(), extras.size(), extras.size() == 1 ? "" : "s",
                  extras.size() == 1 ? "s" : "", names, extras.size() > kNamed ? ", ..." : ""));
}

// Whether a tensor is read: of a parameter, or the head, which may be there though it is tied.
using Known = std::function<bool(const std::string&)>;

NamedTensors read_weights(const fs::path& directory, const std::vector<SafetensorsFile>& files,
                          const Known& known, const LoadOptions& options) {
  NamedTensors weights;
  std::vector<std::string> extras;
  for (const SafetensorsFile& file : files) {
    for (const SafetensorsEntry& entry : file.entries()) {
      if (!known(entry.name)) {
        extras.push_back(entry.name);
        continue;
      }
      weights.emplace_back(entry.name, as_loaded(file.tensor(entry.name), options));
      if (options.trainable) file.forget();  // else file and copies would be held at once
    }
  }
  warn_of_extras(directory, extras, options);
  return weights;
}

NamedTensors read_weights(const gguf::File& file, const ModelConfig& config, const Known& known,
                          const LoadOptions& options) {
  std::vector<std::string> extras;
  NamedTensors weights = read_gguf_weights(file, config, options.trainable, known, extras);
  warn_of_extras(file.path(), extras, options);
  return weights;
}

void check_head(const NamedTensors& weights, const std::string& embedding,
                const fs::path& directory) {
  const auto has = [&](const std::string& name) {
    return std::ranges::find(weights, name, &NamedTensors::value_type::first) != weights.end();
  };
  if (has(kHeadName) || !has(embedding)) return;
  throw FormatError(
      fmt::format("{}: {} is missing; if the model uses its embeddings as its head, set "
                  "tie_word_embeddings to true in config.json",
                  directory.string(), in_quotes(kHeadName)));
}

// Writing ------------------------------------------------------------------------------------

// Tensors in order, a new file where one would grow past the limit; larger tensors alone.
std::vector<NamedTensors> split_into_shards(const NamedTensors& weights, Dtype dtype,
                                            std::uint64_t max_shard_size) {
  std::vector<NamedTensors> shards;
  NamedTensors current;
  std::uint64_t size = 0;
  for (const auto& entry : weights) {
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(entry.second.numel()) * dtype_size(dtype);
    if (bytes > max_shard_size) {
      shards.push_back({entry});
      continue;
    }
    if (size + bytes > max_shard_size) {
      shards.push_back(std::exchange(current, {}));
      size = 0;
    }
    current.push_back(entry);
    size += bytes;
  }
  if (!current.empty()) shards.push_back(std::move(current));
  return shards;
}

// Converts one tensor at a time.
void write_shard(const fs::path& path, const NamedTensors& tensors, Dtype dtype) {
  std::vector<SafetensorsSpec> specs;
  for (const auto& [name, tensor] : tensors) {
    specs.push_back({name, stored_dtype(dtype), tensor.shape()});
  }
  write_safetensors_data(path, specs, [&](std::size_t i, const SafetensorsSink& sink) {
    const Tensor stored = tensors[i].second.to(dtype).contiguous();
    sink({stored.raw_data(), stored.nbytes()});
  });
}

// Writes the weights and returns the names of their files.
std::set<std::string> write_weights(const fs::path& directory, const NamedTensors& weights,
                                    Dtype dtype, std::uint64_t max_shard_size) {
  const auto shards = split_into_shards(weights, dtype, max_shard_size);
  if (shards.size() <= 1) {
    write_shard(directory / kWeights, weights, dtype);
    return {kWeights};
  }
  std::set<std::string> files{kIndex};
  nlohmann::json weight_map;
  std::int64_t parameters = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_shard(directory / name, shards[i], dtype);
    files.insert(name);
    for (const auto& [tensor_name, tensor] : shards[i]) {
      weight_map[tensor_name] = name;
      parameters += tensor.numel();
    }
  }
  const std::uint64_t bytes = static_cast<std::uint64_t>(parameters) * dtype_size(dtype);
  const nlohmann::json index{
      {"metadata", {{"total_parameters", parameters}, {"total_size", bytes}}},
      {"weight_map", weight_map}};
  write_text_file(directory / kIndex, index.dump(2) + "\n");
  return files;
}

void copy_file_to(const fs::path& file, const fs::path& directory) {
  const auto contents = MappedFile::open(file);
  AtomicFile copy(directory / file.filename());
  copy.write(contents->bytes());
  copy.commit();
}

// What an earlier model left and a reader would take for part of this one.
void remove_other_weights(const fs::path& directory, const std::set<std::string>& kept) {
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const bool weights = name == kWeights || name == kIndex ||
                         (name.starts_with("model-") && name.ends_with(".safetensors"));
    if (weights && !kept.contains(name)) stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) fs::remove(path);
}

}  // namespace

bool has_weights(const fs::path& directory) {
  return gguf::is_gguf(directory) || is_there(directory / kWeights) || is_there(directory / kIndex);
}

std::vector<SafetensorsFile> open_weights(const fs::path& directory, const Warn& warn) {
  if (is_there(directory / kWeights)) return {SafetensorsFile::open(directory / kWeights)};
  if (is_there(directory / kIndex)) return open_shards(directory, warn);
  throw IoError(fmt::format("{} has neither {} nor {}{}", directory.string(), kWeights, kIndex,
                            foreign_model(directory)));
}

std::vector<fs::path> weight_files(const fs::path& model) {
  if (gguf::is_gguf(model)) return {model};
  std::vector<fs::path> paths;
  for (const SafetensorsFile& file : open_weights(model)) paths.push_back(file.path());
  return paths;
}

ModelPaths ModelPaths::of(const fs::path& model) {
  return {model, gguf::is_gguf(model) ? model : model / "config.json", model};
}

std::unique_ptr<LanguageModel> load_model(const fs::path& directory, const LoadOptions& options) {
  return load_model(ModelPaths::of(directory), options);
}

std::unique_ptr<LanguageModel> load_model(const ModelPaths& paths, const LoadOptions& options) {
  auto model = make_language_model(ModelConfig::load(paths.config));
  std::set<std::string> names{kHeadName};
  for (const auto& [name, parameter] : model->named_parameters()) names.insert(name);
  const Known known = [&](const std::string& name) { return names.contains(name); };
  const bool within = gguf::is_gguf(paths.weights);
  const auto files =
      within ? std::vector<SafetensorsFile>() : open_weights(paths.weights, options.warn);
  NamedTensors weights =
      within ? read_weights(gguf::File::open(paths.weights), model->config(), known, options)
             : read_weights(paths.weights, files, known, options);
  if (!options.adapter.empty()) merge_lora(options.adapter, weights);
  const bool tied = model->config().tie_word_embeddings;
  if (!tied) check_head(weights, embedding_name(*model), paths.weights);
  model->set_requires_grad(options.trainable);  // frozen ones may be of 16 bits
  try {
    if (tied) drop_tied_head(files, embedding_name(*model), weights);
    model->take_state_dict(weights);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", paths.weights.string(), error.what()));
  }
  return model;
}

void require_vacant(const fs::path& directory) {
  if (!fs::exists(directory)) return;
  if (!fs::is_directory(directory)) {
    throw IoError(fmt::format("{} exists and is not a directory", directory.string()));
  }
  if (!fs::is_empty(directory)) {
    throw IoError(fmt::format(
        "{} exists and is not empty; nothing is overwritten, so choose another directory",
        directory.string()));
  }
}

void save_model(const fs::path& directory, const LanguageModel& model, const SaveOptions& options) {
  if (!options.overwrite) require_vacant(directory);
  const NamedTensors weights = model.state_dict();
  const Dtype dtype = options.dtype.value_or(weights.front().second.dtype());
  check_narrowing(weights, dtype, options.warn);
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    throw IoError(fmt::format("cannot create {}: {}", directory.string(), error.message()));
  }
  ModelConfig config = model.config();
  config.set_dtype(dtype);
  const auto files = write_weights(directory, weights, dtype, options.max_shard_size);
  remove_other_weights(directory, files);
  write_text_file(directory / "generation_config.json", generation_config_text(config));
  write_text_file(directory / "config.json", config.to_text());
}

std::vector<fs::path> tokenizer_files(const fs::path& directory) {
  if (gguf::is_gguf(directory)) {
    gguf::tokenizer_json(gguf::File::open(directory));  // fails here if it cannot be read
    return {directory};
  }
  if (!is_there(directory / "tokenizer.json")) {
    throw IoError(fmt::format("{} has no tokenizer.json; a tokenizer's directory is expected there",
                              directory.string()));
  }
  std::vector<fs::path> files;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "added_tokens.json", "chat_template.jinja"}) {
    if (is_there(directory / name)) files.push_back(directory / name);
  }
  std::ranges::copy(text::additional_chat_templates(directory), std::back_inserter(files));
  return files;
}

void copy_tokenizer(const fs::path& from, const fs::path& to) {
  if (gguf::is_gguf(from)) {
    write_text_file(to / "tokenizer.json", text::read_tokenizer_json<Json>(from).dump(2));
    write_text_file(to / "tokenizer_config.json", text::read_tokenizer_config(from).dump(2) + "\n");
    return;
  }
  for (const fs::path& file : tokenizer_files(from)) {
    const fs::path below = file.lexically_relative(from).parent_path();
    std::error_code error;  // shows when the file is written
    if (!below.empty()) fs::create_directories(to / below, error);
    copy_file_to(file, to / below);
  }
}

void copy_companions(const ModelPaths& from, const fs::path& to) {
  const fs::path generation = from.weights / "generation_config.json";
  if (is_there(generation)) copy_file_to(generation, to);
  if (text::has_tokenizer(from.tokenizer)) copy_tokenizer(from.tokenizer, to);
}

}  // namespace gladius
