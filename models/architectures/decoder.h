// The decoder that Llama and its kin have in common.
#pragma once

#include <memory>
#include <vector>

#include "gladius/models/language_model.h"
#include "gladius/nn/attention.h"
#include "gladius/nn/embedding.h"
#include "gladius/nn/linear.h"
#include "gladius/nn/rms_norm.h"
#include "gladius/nn/swiglu.h"

namespace gladius {

/// What a layer is made of.
struct DecoderLayerSizes {
  nn::AttentionSizes attention;
  std::int64_t intermediate_size = 0;
  bool mlp_bias = false;
  double rms_norm_eps = 1e-6;

  /// As the config has them.
  static DecoderLayerSizes of(const ModelConfig& config);
};

/// One layer: x + attention(norm(x)), then x + mlp(norm(x)) (pre-norm).
class DecoderLayer : public nn::Module {
 public:
  explicit DecoderLayer(const DecoderLayerSizes& sizes);
  Variable forward(const Variable& x, const nn::AttentionContext& context,
                   nn::LayerCache* cache) const;

  const nn::GroupedQueryAttention& self_attn() const { return *self_attn_; }
  /// Elements that the operations keep for a token until the backward pass.
  std::int64_t saved_per_token() const;
  /// Those that live at once where nothing is kept.
  std::int64_t live_per_token() const;

 private:
  std::shared_ptr<nn::GroupedQueryAttention> self_attn_;
  std::shared_ptr<nn::SwiGLU> mlp_;
  std::shared_ptr<nn::RMSNorm> input_layernorm_, post_attention_layernorm_;
};

/// Embeddings, equal layers, a final norm and a head (Touvron et al. 2023, arXiv:2302.13971).
class DecoderModel : public LanguageModel {
 public:
  DecoderModel(const ModelConfig& config, const DecoderLayerSizes& layer);

  Variable hidden_states(const Tensor& ids, const TokenContext& context,
                         KvCache* cache = nullptr) const override;
  const Variable& head_weight() const override;
  KvCache make_cache(std::int64_t B, std::int64_t capacity) const override;
  PassSizes pass_sizes() const override;

 private:
  // `model.` in the parameters' names.
  class Layers;

  // What each layer is told, the positions' angles computed once.
  std::vector<nn::AttentionContext> layer_contexts(const TokenContext& context, Dtype dtype,
                                                   std::int64_t start) const;

  nn::RotaryEmbedding rotary_;
  std::shared_ptr<Layers> model_;
  std::shared_ptr<nn::Linear> lm_head_;  // null if tied to the embeddings
};

/// A DecoderModel, for a family's Architecture::make.
std::unique_ptr<LanguageModel> make_decoder(const ModelConfig& config,
                                            const DecoderLayerSizes& layer);

}  // namespace gladius
