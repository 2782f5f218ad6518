// Grouped-query causal self-attention with rotary positions.
#pragma once

#include "gladius/nn/linear.h"
#include "gladius/nn/rotary_embedding.h"

namespace gladius {

/// Keys and values of one layer for the tokens seen so far: [B, capacity, Hkv, D], `length` of them
/// filled. For generation, without gradients.
struct LayerCache {
  Tensor k, v;
  std::int64_t length = 0;
};

/// Where the tokens of a forward pass stand.
struct TokenContext {
  Tensor positions;  // I64 [B, T]
  Tensor first_key;  // I64 [B, T], the first key that each token sees; undefined: all before it
};

struct AttentionSizes {
  std::int64_t hidden_size, num_heads, num_key_value_heads, head_dim;
  bool qkv_bias = false;
  bool o_bias = false;
};

/// Ainslie et al. 2023 (arXiv:2305.13245); parameters as Hugging Face's LlamaAttention: q_proj,
/// k_proj, v_proj, o_proj.
class GroupedQueryAttention : public Module {
 public:
  GroupedQueryAttention(const AttentionSizes& sizes, std::shared_ptr<RotaryEmbedding> rotary);
  /// x [B, T, C] -> [B, T, C]. With a cache, x continues it: its keys and values are appended.
  Variable forward(const Variable& x, const TokenContext& context,
                   LayerCache* cache = nullptr) const;

 private:
  AttentionSizes sizes_;
  std::shared_ptr<RotaryEmbedding> rotary_;
  std::shared_ptr<Linear> q_proj_, k_proj_, v_proj_, o_proj_;
};

}  // namespace gladius
