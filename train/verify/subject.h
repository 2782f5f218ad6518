// A model that is verified, as far as it can be read. For this folder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/train/verify/verification.h"

namespace gladius::train {

struct Subject {
  std::filesystem::path path;  // directory, or GGUF file
  bool gguf = false;

  std::unique_ptr<LanguageModel> model;  // has shapes alone; none: config_fault says why
  std::string config_fault;

  std::vector<SafetensorsFile> files;     // of a directory
  NamedTensors gguf_weights;              // of a GGUF file, of the model's parameters alone
  std::vector<std::string> gguf_extras;   // names of its other tensors
  std::string weights_fault;              // not "": there are none of these
  std::vector<std::string> index_faults;  // of the shards' index, that disturb nobody

  std::optional<text::Tokenizer> tokenizer;
  std::string tokenizer_fault;  // "" also where there is none

  static Subject open(const std::filesystem::path& path);

  bool tied() const { return model->config().tie_word_embeddings; }
  /// Every tensor that is stored.
  std::vector<std::pair<std::string, Shape>> shapes() const;
  bool stores(const std::string& name) const;
  /// In the stored type. Errors of SafetensorsFile::tensor.
  Tensor tensor(const std::string& name) const;
};

/// At most three of the names, and how many there are: "2 (a, b)".
std::string counted(const std::vector<std::string>& names);

// One function a check; see verification.h.
Check check_config(const Subject& subject);
Check check_tensors(const Subject& subject);
Check check_tied_head(const Subject& subject);
Check check_finite(const Subject& subject);
Check check_tokenizer(const Subject& subject);
Check check_special_tokens(const Subject& subject);
Check check_chat_template(const Subject& subject);
Check check_generation_config(const Subject& subject);
Check check_checksums(const Subject& subject);
Check check_card(const Subject& subject);

}  // namespace gladius::train
