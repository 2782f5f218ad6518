// A model's architecture, as config.json states it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gladius/models/rope_parameters.h"
#include "gladius/tensor/dtype.h"

namespace gladius {

/// What the decoder is built from: the settings shared by the Llama family, after the defaults of
/// each architecture have been filled in.
struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  std::string model_type;    // "llama"
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  RopeParameters rope;
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  /// Of each layer: how many keys a query sees, its own included; 0: all before it. None: 0.
  std::vector<std::int64_t> attention_windows;
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;
  std::optional<std::int32_t> bos_token_id;
  std::vector<std::int32_t> eos_token_ids;  // config.json has one or a list
  /// The file as it was, with keys this library does not use, so that it can be written again.
  nlohmann::ordered_json source;

  /// Reads config.json or, of a directory, the one in it; or what a GGUF file says in its place.
  /// IoError, FormatError (not JSON) or ConfigError naming the key that is missing, wrong or not
  /// supported.
  static ModelConfig load(const std::filesystem::path& path);
  /// `where` begins the messages of errors.
  static ModelConfig parse(const nlohmann::ordered_json& json, const std::string& where);
  /// States the type of the stored weights under the key that the file has for it (`dtype`, or
  /// `torch_dtype` as it was called); a file without either gets `dtype` unless that is F32.
  void set_dtype(Dtype dtype);
  /// The text of config.json as transformers writes it: two spaces, a newline at the end.
  std::string to_text() const;
};

}  // namespace gladius
