#include "gladius/models/architectures/decoder.h"

#include <fmt/format.h>

#include <map>

#include "gladius/autograd/checkpoint.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/models/rope_scaling.h"

namespace gladius {

DecoderLayerSizes DecoderLayerSizes::of(const ModelConfig& config) {
  return {.attention = {.hidden_size = config.hidden_size,
                        .num_heads = config.num_attention_heads,
                        .num_key_value_heads = config.num_key_value_heads,
                        .head_dim = config.head_dim,
                        .qkv_bias = config.qkv_bias,
                        .o_bias = config.o_bias},
          .intermediate_size = config.intermediate_size,
          .mlp_bias = config.mlp_bias,
          .rms_norm_eps = config.rms_norm_eps};
}

DecoderLayer::DecoderLayer(const DecoderLayerSizes& sizes) {
  const std::int64_t C = sizes.attention.hidden_size;
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<nn::RMSNorm>(C, sizes.rms_norm_eps));
  };
  self_attn_ =
      register_module("self_attn", std::make_shared<nn::GroupedQueryAttention>(sizes.attention));
  mlp_ = register_module("mlp",
                         std::make_shared<nn::SwiGLU>(C, sizes.intermediate_size, sizes.mlp_bias));
  input_layernorm_ = norm("input_layernorm");
  post_attention_layernorm_ = norm("post_attention_layernorm");
}

Variable DecoderLayer::forward(const Variable& x, const nn::AttentionContext& context,
                               nn::LayerCache* cache) const {
  const Variable attended = x + self_attn_->forward(input_layernorm_->forward(x), context, cache);
  return attended + mlp_->forward(post_attention_layernorm_->forward(attended));
}

std::int64_t DecoderLayer::saved_per_token() const {
  const std::int64_t norms_and_sums = 4 * input_layernorm_->weight.numel();
  return norms_and_sums + self_attn_->saved_per_token() + mlp_->saved_per_token();
}

std::int64_t DecoderLayer::live_per_token() const {
  const std::int64_t sum_and_its_norm = 2 * input_layernorm_->weight.numel();
  return sum_and_its_norm + mlp_->saved_per_token();
}

class DecoderModel::Layers : public nn::Module {
 public:
  Layers(const ModelConfig& config, const DecoderLayerSizes& sizes)
      : embed_tokens(register_module("embed_tokens", std::make_shared<nn::Embedding>(
                                                         config.vocab_size, config.hidden_size))) {
    for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
      layers.push_back(
          register_module(fmt::format("layers.{}", i), std::make_shared<DecoderLayer>(sizes)));
    }
    norm = register_module("norm",
                           std::make_shared<nn::RMSNorm>(config.hidden_size, config.rms_norm_eps));
  }

  std::shared_ptr<nn::Embedding> embed_tokens;
  std::vector<std::shared_ptr<DecoderLayer>> layers;
  std::shared_ptr<nn::RMSNorm> norm;
};

DecoderModel::DecoderModel(const ModelConfig& config, const DecoderLayerSizes& layer)
    : LanguageModel(config),
      rotary_(make_rotary_embedding(config.rope, config.head_dim)),
      model_(register_module("model", std::make_shared<Layers>(config, layer))) {
  if (!config.tie_word_embeddings) {
    lm_head_ = register_module(
        "lm_head", std::make_shared<nn::Linear>(config.hidden_size, config.vocab_size, false));
  }
}

std::vector<nn::AttentionContext> DecoderModel::layer_contexts(const TokenContext& context,
                                                               Dtype dtype,
                                                               std::int64_t start) const {
  const nn::Rotation rotation = rotary_.rotation(context.positions, dtype);
  const std::vector<std::int64_t>& windows = config().attention_windows;
  std::map<std::int64_t, Tensor> first_keys{{0, context.first_key}};  // by window; 0: none
  std::vector<nn::AttentionContext> contexts;
  for (std::size_t i = 0; i < model_->layers.size(); ++i) {
    const std::int64_t window = windows.empty() ? 0 : windows[i];
    if (!first_keys.contains(window)) {
      first_keys[window] = windowed_context(context, start, window).first_key;
    }
    contexts.push_back({.rotation = rotation, .first_key = first_keys.at(window)});
  }
  return contexts;
}

Variable DecoderModel::hidden_states(const Tensor& ids, const TokenContext& context,
                                     KvCache* cache) const {
  if (ids.dim() != 2) {
    throw ShapeError(fmt::format("causal_lm: ids {} are not [B, T]", ids.describe()));
  }
  if (ids.numel() == 0) throw ShapeError("causal_lm: no tokens");
  Variable x = model_->embed_tokens->forward(ids);
  const auto contexts = layer_contexts(context, x.dtype(), cache ? cache->length() : 0);
  for (std::size_t i = 0; i < model_->layers.size(); ++i) {
    if (activation_checkpointing() && !cache) {
      x = checkpoint([layer = model_->layers[i], seen = contexts[i]](
                         const auto& in) { return layer->forward(in[0], seen, nullptr); },
                     {x});
    } else {
      x = model_->layers[i]->forward(x, contexts[i], cache ? &cache->layers[i] : nullptr);
    }
  }
  return model_->norm->forward(x);
}

const Variable& DecoderModel::head_weight() const {
  return lm_head_ ? lm_head_->weight : model_->embed_tokens->weight;
}

KvCache DecoderModel::make_cache(std::int64_t B, std::int64_t capacity) const {
  KvCache cache;
  const Shape shape{B, capacity, config().num_key_value_heads, config().head_dim};
  for (std::size_t i = 0; i < model_->layers.size(); ++i) {
    cache.layers.push_back({.k = Tensor::empty(shape), .v = Tensor::empty(shape), .length = 0});
  }
  return cache;
}

PassSizes DecoderModel::pass_sizes() const {
  const DecoderLayer& layer = *model_->layers.front();  // a config has at least one, all equal
  const std::int64_t num_layers = std::ssize(model_->layers);
  return {.num_layers = num_layers,
          .saved = layer.saved_per_token(),
          .input = config().hidden_size,
          .live = layer.live_per_token(),
          .cached = num_layers * layer.self_attn().cached_per_token()};
}

std::unique_ptr<LanguageModel> make_decoder(const ModelConfig& config,
                                            const DecoderLayerSizes& layer) {
  return std::make_unique<DecoderModel>(config, layer);
}

}  // namespace gladius
