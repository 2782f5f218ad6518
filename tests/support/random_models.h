// Small random models of the supported families.
#pragma once

#include <nlohmann/json.hpp>

#include "gladius/models/language_model.h"
#include "gladius/tensor/random.h"
#include "support/random.h"

namespace gladius::testing {

/// A configuration with random sizes and settings, as config.json has it.
inline nlohmann::ordered_json random_config_json(Rng& rng) {
  constexpr std::pair<const char*, const char*> kFamilies[] = {
      {"LlamaForCausalLM", "llama"}, {"Qwen2ForCausalLM", "qwen2"}, {"Qwen3ForCausalLM", "qwen3"}};
  const auto& [architecture, type] = kFamilies[random_int(rng, 0, 2)];
  const std::int64_t kv_heads = random_int(rng, 1, 3), groups = random_int(rng, 1, 3);
  const auto flip = [&] { return random_int(rng, 0, 1) == 1; };
  nlohmann::ordered_json json{{"architectures", {architecture}},
                              {"model_type", type},
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
  if (json["model_type"] != "qwen2") json["attention_bias"] = flip();
  if (json["model_type"] == "llama") json["mlp_bias"] = flip();
  return json;
}

/// With random weights, biases and norms too.
inline std::unique_ptr<LanguageModel> random_model(Rng& rng, const nlohmann::ordered_json& json) {
  auto model = make_language_model(ModelConfig::parse(json, "random config"));
  Generator generator(rng());
  model->init_weights(generator);
  for (auto& [name, parameter] : model->named_parameters()) {
    if (parameter.dim() == 1) {
      parameter.set_value(random_tensor(rng, parameter.shape(), 0.5, 1.5, Dtype::F32));
    }
  }
  return model;
}
inline std::unique_ptr<LanguageModel> random_model(Rng& rng) {
  return random_model(rng, random_config_json(rng));
}

/// `count` ids below `vocab_size`.
inline std::vector<std::int32_t> random_ids(Rng& rng, std::int64_t vocab_size, std::int64_t count) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<std::int32_t>(random_int(rng, 0, vocab_size - 1)));
  }
  return ids;
}

}  // namespace gladius::testing
