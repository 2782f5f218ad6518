// Scaled dot-product attention, grouped and causal, in blocks (FlashAttention, arXiv:2205.14135).
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

struct AttentionOptions {
  /// Query t sees no key after t + (S - T).
  bool causal = true;
  /// Of the dot products; 0 means 1 / sqrt(D).
  double scale = 0;
  /// I64 or I32 [B, T], the first key that each query sees (packed examples, sliding windows);
  /// undefined: 0.
  Tensor first_key = {};
};

/// softmax(scale * q k^T) v for q [B, T, H, D], k and v [B, S, Hkv, D] with H a multiple of Hkv ->
/// [B, T, H, D]. Never holds a [T, S] matrix; a query that sees no key gives zeros. ShapeError or
/// DtypeError for what does not fit. Fused; differentiable any number of times, but a gradient that
/// is to be differentiated again (create_graph) is made of primitive operations, which hold
/// matrices [B, H, T, S].
Variable scaled_dot_product_attention(const Variable& q, const Variable& k, const Variable& v,
                                      const AttentionOptions& options = {});

}  // namespace gladius
