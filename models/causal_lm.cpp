#include "gladius/models/causal_lm.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/checkpoint.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/models/rope_scaling.h"
#include "gladius/tensor/random.h"

namespace gladius {

TokenContext sequential_context(std::int64_t B, std::int64_t T, std::int64_t start) {
  std::vector<std::int64_t> positions;
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t t = 0; t < T; ++t) positions.push_back(start + t);
  }
  return {.positions = Tensor::from(positions, {B, T}), .first_key = {}};
}

TokenContext packed_context(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> positions, first_key;
  for (const std::int64_t length : lengths) {
    const auto start = static_cast<std::int64_t>(positions.size());
    for (std::int64_t t = 0; t < length; ++t) {
      positions.push_back(t);
      first_key.push_back(start);
    }
  }
  const auto T = static_cast<std::int64_t>(positions.size());
  return {.positions = Tensor::from(positions, {1, T}),
          .first_key = lengths.size() > 1 ? Tensor::from(first_key, {1, T}) : Tensor()};
}

namespace {

// The context of layers whose queries see `window` keys, the newest of them their own. `start`: how
// many keys come before the first query.
TokenContext windowed(const TokenContext& context, std::int64_t start, std::int64_t window) {
  const Shape& shape = context.positions.shape();
  std::vector<std::int64_t> first =
      context.first_key.defined()
          ? context.first_key.to_vector<std::int64_t>()
          : std::vector<std::int64_t>(static_cast<std::size_t>(context.positions.numel()));
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::int64_t query = start + static_cast<std::int64_t>(i) % shape.at(1);
    first[i] = std::max(first[i], query - window + 1);
  }
  return {.positions = context.positions, .first_key = Tensor::from(first, shape)};
}

}  // namespace

DecoderLayer::DecoderLayer(const ModelConfig& config, std::shared_ptr<RotaryEmbedding> rotary)
    : self_attn_(register_module(
          "self_attn", std::make_shared<GroupedQueryAttention>(
                           AttentionSizes{.hidden_size = config.hidden_size,
                                          .num_heads = config.num_attention_heads,
                                          .num_key_value_heads = config.num_key_value_heads,
                                          .head_dim = config.head_dim,
                                          .qkv_bias = config.qkv_bias,
                                          .o_bias = config.o_bias},
                           std::move(rotary)))),
      mlp_(register_module(
          "mlp",
          std::make_shared<SwiGLU>(config.hidden_size, config.intermediate_size, config.mlp_bias))),
      input_layernorm_(register_module(
          "input_layernorm", std::make_shared<RMSNorm>(config.hidden_size, config.rms_norm_eps))),
      post_attention_layernorm_(
          register_module("post_attention_layernorm",
                          std::make_shared<RMSNorm>(config.hidden_size, config.rms_norm_eps))) {}

Variable DecoderLayer::forward(const Variable& x, const TokenContext& context,
                               LayerCache* cache) const {
  const Variable attended = x + self_attn_->forward(input_layernorm_->forward(x), context, cache);
  return attended + mlp_->forward(post_attention_layernorm_->forward(attended));
}

class CausalLM::Decoder : public Module {
 public:
  explicit Decoder(const ModelConfig& config)
      : embed_tokens(register_module(
            "embed_tokens", std::make_shared<Embedding>(config.vocab_size, config.hidden_size))) {
    const auto rotary = make_rotary_embedding(config.rope, config.head_dim);
    for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
      layers.push_back(register_module(fmt::format("layers.{}", i),
                                       std::make_shared<DecoderLayer>(config, rotary)));
    }
    norm =
        register_module("norm", std::make_shared<RMSNorm>(config.hidden_size, config.rms_norm_eps));
  }

  std::shared_ptr<Embedding> embed_tokens;
  std::vector<std::shared_ptr<DecoderLayer>> layers;
  std::shared_ptr<RMSNorm> norm;
};

CausalLM::CausalLM(const ModelConfig& config)
    : config_(config), model_(register_module("model", std::make_shared<Decoder>(config))) {
  if (!config.tie_word_embeddings) {
    lm_head_ = register_module(
        "lm_head", std::make_shared<Linear>(config.hidden_size, config.vocab_size, false));
  }
}

Variable CausalLM::hidden_states(const Tensor& ids, const TokenContext& context,
                                 KvCache* cache) const {
  if (ids.dim() != 2) {
    throw ShapeError(fmt::format("causal_lm: ids {} are not [B, T]", ids.describe()));
  }
  if (ids.numel() == 0) throw ShapeError("causal_lm: no tokens");
  Variable x = model_->embed_tokens->forward(ids);
  const std::int64_t start = cache ? cache->length() : 0;
  for (std::size_t i = 0; i < model_->layers.size(); ++i) {
    const std::int64_t window =
        config_.attention_windows.empty() ? 0 : config_.attention_windows[i];
    const TokenContext seen = window == 0 ? context : windowed(context, start, window);
    LayerCache* layer_cache = cache ? &cache->layers[i] : nullptr;
    if (activation_checkpointing_ && !cache) {
      x = checkpoint([layer = model_->layers[i],
                      seen](const auto& in) { return layer->forward(in[0], seen, nullptr); },
                     {x});
    } else {
      x = model_->layers[i]->forward(x, seen, layer_cache);
    }
  }
  return model_->norm->forward(x);
}

Variable CausalLM::head(const Variable& hidden) const { return linear(hidden, head_weight()); }

const Variable& CausalLM::head_weight() const {
  return lm_head_ ? lm_head_->weight : model_->embed_tokens->weight;
}

Variable CausalLM::forward(const Tensor& ids) const {
  return head(
      hidden_states(ids, sequential_context(ids.size(0), ids.dim() == 2 ? ids.size(1) : 0)));
}

KvCache CausalLM::make_cache(std::int64_t B, std::int64_t capacity) const {
  KvCache cache;
  const Shape shape{B, capacity, config_.num_key_value_heads, config_.head_dim};
  for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    cache.layers.push_back({.k = Tensor::empty(shape), .v = Tensor::empty(shape), .length = 0});
  }
  return cache;
}

void CausalLM::init_weights(Generator& generator) {
  NamedTensors fresh;
  for (const auto& [name, parameter] : named_parameters()) {
    Tensor value = Tensor::empty(parameter.shape());
    if (parameter.dim() > 1) {
      fill_normal_(value, generator, 0, config_.initializer_range);
    } else {
      value.fill_(name.ends_with("bias") ? 0 : 1);
    }
    fresh.emplace_back(name, std::move(value));
  }
  load_state_dict(fresh);
}

}  // namespace gladius
