// Model directories in Hugging Face's layout: config.json, safetensors files, tokenizer. A GGUF
// file, which holds the same, serves wherever a model directory is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/tensor/io/safetensors.h"

namespace gladius {

/// The files of a directory's weights: model.safetensors or, without it, the shards that
/// model.safetensors.index.json lists. IoError for what is missing, FormatError for an index that
/// is malformed, leaves the directory or does not fit its shards: each tensor that is listed is
/// where the index says, once.
/// Where `total_size` differs from the tensors' bytes, or a shard holds a tensor that the index
/// does not list, `warn` is told.
using Warn = std::function<void(const std::string&)>;
std::vector<SafetensorsFile> open_weights(const std::filesystem::path& directory,
                                          const Warn& warn = {});
/// Whether there are any, whole or not: a directory may be a tokenizer's alone.
bool has_weights(const std::filesystem::path& directory);

/// The files of a model's weights by path: a GGUF file itself, or those of open_weights.
std::vector<std::filesystem::path> weight_files(const std::filesystem::path& model);

struct LoadOptions {
  /// F32 copies that can be written and require gradients, for training. Otherwise read-only views
  /// of the mapped files, in the type they are stored in.
  bool trainable = false;
  /// Told of what is skipped.
  Warn warn = {};
  /// A directory of PEFT's whose LoRA adapter is merged into the weights (lora_adapter.h).
  std::filesystem::path adapter = {};
};

/// Where the parts of a model are.
struct ModelPaths {
  std::filesystem::path weights;    // directory of the safetensors files, generation_config.json
  std::filesystem::path config;     // config.json
  std::filesystem::path tokenizer;  // directory of the tokenizer's files and the chat template

  /// A model directory has them all, and so has a GGUF file.
  static ModelPaths of(const std::filesystem::path& model);
};

/// A model with its weights, frozen unless it is to be trained. Errors of ModelConfig::load and
/// open_weights; FormatError naming the tensor that is missing or of another shape. With tied
/// embeddings `lm_head.weight` may be there if it equals them; other tensors that belong to no
/// parameter (cached rotary frequencies, layers for multi-token prediction) are skipped with a
/// warning, as by transformers.
std::unique_ptr<LanguageModel> load_model(const ModelPaths& paths, const LoadOptions& options = {});
std::unique_ptr<LanguageModel> load_model(const std::filesystem::path& directory,
                                          const LoadOptions& options = {});

struct SaveOptions {
  /// Bytes of tensors a file, as transformers counts them.
  std::uint64_t max_shard_size = 5'000'000'000;
  /// Type of the stored weights; the embedding's if not given.
  std::optional<Dtype> dtype = {};
  /// Replaces the model that the directory holds (a run's own); otherwise a directory that is not
  /// empty is refused.
  bool overwrite = false;
  /// Told of values that another type loses (check_narrowing).
  Warn warn = {};
};

/// IoError if `directory` is something else than a directory or is not empty: nothing is
/// overwritten. For commands, before long work.
void require_vacant(const std::filesystem::path& directory);

/// Writes config.json, generation_config.json and the weights, each file whole or not at all,
/// config.json last. IoError; FormatError, before anything is written, for values that would become
/// infinite in the type.
void save_model(const std::filesystem::path& directory, const LanguageModel& model,
                const SaveOptions& options = {});

/// The files of a directory's tokenizer: a GGUF file itself, or tokenizer.json and those of
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json, chat_template.jinja and
/// additional_chat_templates/ that are there. IoError without tokenizer.json.
std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& directory);
/// Copies them, replacing older ones; of a GGUF file's tokenizer, writes those that it stands for.
/// IoError.
void copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to);
/// Copies what else goes with a model's weights and is there: generation_config.json and the
/// tokenizer's files. IoError.
void copy_companions(const ModelPaths& from, const std::filesystem::path& to);

}  // namespace gladius
