// Grouped-query causal self-attention with rotary positions.
#pragma once

#include <optional>

#include "gladius/nn/linear.h"
#include "gladius/nn/rms_norm.h"
#include "gladius/nn/rotary_embedding.h"

namespace gladius::nn {

/// Keys and values of one layer for the tokens seen so far: [B, capacity, Hkv, D], `length` of them
/// filled. For generation, without gradients.
struct LayerCache {
  Tensor k, v;
  std::int64_t length = 0;
};

/// What attention has to know of a pass's tokens [B, T]: computed once, shared by the layers.
struct AttentionContext {
  Rotation rotation;
  Tensor first_key;  // I64 [B, T], the first key that each token sees; undefined: all before it
};

struct AttentionSizes {
  std::int64_t hidden_size, num_heads, num_key_value_heads, head_dim;
  bool qkv_bias = false;
  bool o_bias = false;
  /// RMSNorms of each head's queries and keys, before the rotation, with this eps (as in Qwen3).
  std::optional<double> qk_norm_eps = {};
};

/// Ainslie et al. 2023 (arXiv:2305.13245); parameters as Hugging Face's LlamaAttention: q_proj,
/// k_proj, v_proj, o_proj; q_norm and k_norm [head_dim] as its Qwen3Attention. forward() may be
/// called from several threads, with a cache for each.
class GroupedQueryAttention : public Module {
 public:
  explicit GroupedQueryAttention(const AttentionSizes& sizes);
  /// x [B, T, C] -> [B, T, C]. With a cache, x continues it: its keys and values are appended.
  Variable forward(const Variable& x, const AttentionContext& context,
                   LayerCache* cache = nullptr) const;

  /// Elements that the operations keep for a token until the backward pass, the input not counted.
  std::int64_t saved_per_token() const;
  /// Elements of keys and values that a cache keeps for a token.
  std::int64_t cached_per_token() const;

 private:
  AttentionSizes sizes_;
  std::shared_ptr<Linear> q_proj_, k_proj_, v_proj_, o_proj_;
  std::shared_ptr<RMSNorm> q_norm_, k_norm_;  // null without
};

}  // namespace gladius::nn
