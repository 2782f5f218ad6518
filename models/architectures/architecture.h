// The model families, by the names that config.json has for them. For this folder's callers.
#pragma once

#include <memory>

#include "gladius/models/config.h"
#include "gladius/models/language_model.h"
#include "gladius/tensor/base/json_fields.h"

namespace gladius {

struct Architecture {
  const char* name;        // "LlamaForCausalLM"
  const char* model_type;  // "llama"
  /// What head_dim is where config.json has none; 0: hidden_size / num_attention_heads.
  std::int64_t default_head_dim = 0;
  /// Reads the keys that not all families have. ConfigError.
  void (*read)(const JsonFields& fields, ModelConfig& config);
  std::unique_ptr<LanguageModel> (*make)(const ModelConfig& config);
};

// One a file of this folder. A new family is a line here and one in architecture.cpp.
extern const Architecture kLlama, kQwen2, kQwen3;

/// By `architectures` or, without it, `model_type`. ConfigError.
const Architecture& architecture_of(const JsonFields& fields);
/// ConfigError.
const Architecture& architecture_named(const std::string& name);

/// As transformers: `layer_types` names the layers with a window, else they are those from
/// `max_window_layers` on. None unless `use_sliding_window` is true.
void read_sliding_windows(const JsonFields& fields, ModelConfig& config);

}  // namespace gladius
