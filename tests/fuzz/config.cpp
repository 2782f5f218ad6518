// config.json: the input is the file.
#include "gladius/models/config.h"

#include "fuzz_target.h"
#include "gladius/tensor/base/json_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gladius::ModelConfig;
  using gladius::fuzz::require;
  return gladius::fuzz::only_errors(data, size, [](std::string_view text) {
    ModelConfig config = ModelConfig::parse(gladius::parse_json(text), "config.json");
    // What the decoder is built from must be usable without further checks.
    require(config.vocab_size > 0 && config.hidden_size > 0 && config.intermediate_size > 0);
    require(config.num_attention_heads % config.num_key_value_heads == 0);
    require(config.head_dim > 0 && config.head_dim % 2 == 0);
    require(config.attention_windows.empty() ||
            config.attention_windows.size() == static_cast<std::size_t>(config.num_hidden_layers));
    config.set_dtype(gladius::Dtype::BF16);
    const ModelConfig again =
        ModelConfig::parse(gladius::parse_json(config.to_text()), "config.json");
    require(again.to_text() == config.to_text());
    require(again.attention_windows == config.attention_windows);
  });
}
