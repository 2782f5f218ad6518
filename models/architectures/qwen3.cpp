// Qwen3 (arXiv:2505.09388): norms of each head's queries and keys, no biases unless config.json has
// them, heads of a size of their own.
#include "gladius/models/architectures/architecture.h"
#include "gladius/models/architectures/decoder.h"

namespace gladius {
const Architecture kQwen3{
    .name = "Qwen3ForCausalLM",
    .model_type = "qwen3",
    .default_head_dim = 128,
    .read =
        [](const JsonFields& fields, ModelConfig& config) {
          config.qkv_bias = config.o_bias = fields.value_or("attention_bias", false);
          read_sliding_windows(fields, config);
        },
    .make = [](const ModelConfig& config) -> std::unique_ptr<LanguageModel> {
      DecoderLayerSizes layer = DecoderLayerSizes::of(config);
      layer.attention.qk_norm_eps = config.rms_norm_eps;
      return make_decoder(config, layer);
    },
};

}  // namespace gladius
