// Llama (Touvron et al. 2023, arXiv:2302.13971) and what is published in its format.
#include "gladius/models/architectures/architecture.h"
#include "gladius/models/architectures/decoder.h"

namespace gladius {
const Architecture kLlama{
    .name = "LlamaForCausalLM",
    .model_type = "llama",
    .read =
        [](const JsonFields& fields, ModelConfig& config) {
          config.qkv_bias = config.o_bias = fields.value_or("attention_bias", false);
          config.mlp_bias = fields.value_or("mlp_bias", false);
        },
    .make = [](const ModelConfig& config) -> std::unique_ptr<LanguageModel> {
      return make_decoder(config, DecoderLayerSizes::of(config));
    },
};

}  // namespace gladius
