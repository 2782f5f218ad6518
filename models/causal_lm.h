// Language models that predict the next token.
#pragma once

#include <memory>
#include <vector>

#include "gladius/models/config.h"
#include "gladius/models/kv_cache.h"
#include "gladius/nn/attention.h"
#include "gladius/nn/embedding.h"
#include "gladius/nn/rms_norm.h"
#include "gladius/nn/swiglu.h"

namespace gladius {

class Generator;

/// Positions 0 .. T - 1 for each of B sequences, or the following ones after `start` tokens.
TokenContext sequential_context(std::int64_t B, std::int64_t T, std::int64_t start = 0);
/// Sequences of these lengths, one after another in one row [1, sum]: positions start anew and no
/// token sees an earlier sequence. No padding, whatever the lengths.
TokenContext packed_context(const std::vector<std::int64_t>& lengths);

/// One layer: x + attention(norm(x)), then x + mlp(norm(x)) (pre-norm).
class DecoderLayer : public Module {
 public:
  DecoderLayer(const ModelConfig& config, std::shared_ptr<RotaryEmbedding> rotary);
  Variable forward(const Variable& x, const TokenContext& context, LayerCache* cache) const;

 private:
  std::shared_ptr<GroupedQueryAttention> self_attn_;
  std::shared_ptr<SwiGLU> mlp_;
  std::shared_ptr<RMSNorm> input_layernorm_, post_attention_layernorm_;
};

/// The decoder of the Llama family (Touvron et al. 2023, arXiv:2302.13971) with its head. The
/// families differ in their configuration (models/config.h) alone; parameters have Hugging Face's
/// names.
class CausalLM : public Module {
 public:
  explicit CausalLM(const ModelConfig& config);

  /// ids I64 or I32 [B, T] -> the last layer's output after the final norm, [B, T, C].
  Variable hidden_states(const Tensor& ids, const TokenContext& context,
                         KvCache* cache = nullptr) const;
  /// Hidden states [..., C] -> logits [..., V].
  Variable head(const Variable& hidden) const;
  /// What makes them: [V, C], the embeddings if tied.
  const Variable& head_weight() const;
  /// ids I64 or I32 [B, T], whole sequences from position 0 -> logits [B, T, V].
  Variable forward(const Tensor& ids) const;

  /// Whether training keeps only what enters each layer and computes the rest again for the
  /// backward pass (autograd/checkpoint.h): less memory for about a third more time.
  void set_activation_checkpointing(bool on) { activation_checkpointing_ = on; }

  /// Room for `capacity` tokens of B sequences.
  KvCache make_cache(std::int64_t B, std::int64_t capacity) const;
  /// Fresh weights: normal with the config's initializer_range, biases 0, norms 1.
  void init_weights(Generator& generator);

  const ModelConfig& config() const { return config_; }

 private:
  // `model.` in the parameters' names.
  class Decoder;

  ModelConfig config_;
  std::shared_ptr<Decoder> model_;
  std::shared_ptr<Linear> lm_head_;  // null if tied to the embeddings
  bool activation_checkpointing_ = false;
};

}  // namespace gladius
