// Qwen2 and Qwen2.5 (arXiv:2407.10671, arXiv:2412.15115): Llama's decoder with biases on q, k and v
// whatever config.json says, and layers that may see a window alone.
#include "gladius/models/architectures/architecture.h"
#include "gladius/models/architectures/decoder.h"

namespace gladius {
const Architecture kQwen2{
    .name = "Qwen2ForCausalLM",
    .model_type = "qwen2",
    .read =
        [](const JsonFields& fields, ModelConfig& config) {
          config.qkv_bias = true;
          read_sliding_windows(fields, config);
        },
    .make = [](const ModelConfig& config) -> std::unique_ptr<LanguageModel> {
      return make_decoder(config, DecoderLayerSizes::of(config));
    },
};

}  // namespace gladius
