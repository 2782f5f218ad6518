// Small random models of the supported families.
#pragma once

#include <nlohmann/json.hpp>

#include "gladius/models/causal_lm.h"
#include "gladius/tensor/random.h"
#include "support/random.h"

namespace gladius::testing {

/// A configuration with random sizes and settings, as config.json has it.
inline nlohmann::ordered_json random_config_json(Rng& rng) {
  const bool qwen = random_int(rng, 0, 1) == 1;
  const std::int64_t kv_heads = random_int(rng, 1, 3), groups = random_int(rng, 1, 3);
  const auto flip = [&] { return random_int(rng, 0, 1) == 1; };
  nlohmann::ordered_json json{{"architectures", {qwen ? "Qwen2ForCausalLM" : "LlamaForCausalLM"}},
                              {"model_type", qwen ? "qwen2" : "llama"},
                              {"hidden_size", 8 * random_int(rng, 1, 4)},
                              {"intermediate_size", random_int(rng, 3, 40)},
                              {"num_hidden_layers", random_int(rng, 1, 3)},
                              {"num_attention_heads", kv_heads * groups},
                              {"num_key_value_heads", kv_heads},
                              {"head_dim", 2 * random_int(rng, 1, 6)},
                              {"vocab_size", random_int(rng, 5, 60)},
                              {"max_position_embeddings", 64},
                              {"rms_norm_eps", 1e-5},
                              {"rope_theta", 1000.0 * static_cast<double>(random_int(rng, 1, 20))},
                              {"tie_word_embeddings", flip()},
                              {"initializer_range", 0.2}};
  if (qwen) return json;
  json["attention_bias"] = flip();
  json["mlp_bias"] = flip();
  return json;
}

/// With random weights, biases and norms too.
inline CausalLM random_model(Rng& rng, const nlohmann::ordered_json& json) {
  CausalLM model(ModelConfig::parse(json, "random config"));
  Generator generator(rng());
  model.init_weights(generator);
  for (auto& [name, parameter] : model.named_parameters()) {
    if (parameter.dim() == 1) {
      parameter.set_value(random_tensor(rng, parameter.shape(), 0.5, 1.5, Dtype::F32));
    }
  }
  return model;
}
inline CausalLM random_model(Rng& rng) { return random_model(rng, random_config_json(rng)); }

/// `count` ids below `vocab_size`.
inline std::vector<std::int32_t> random_ids(Rng& rng, std::int64_t vocab_size, std::int64_t count) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<std::int32_t>(random_int(rng, 0, vocab_size - 1)));
  }
  return ids;
}

}  // namespace gladius::testing
