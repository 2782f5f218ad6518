// Causal grouped-query scaled-dot-product attention in blocks that stay in the cache, after
// FlashAttention (Dao et al. 2022, arXiv:2205.14135; Dao 2023, arXiv:2307.08691).
//
// Bound: the products of the visible pairs of queries and keys at the processor's multiply-add
// rate, which is 4*B*H*T*S*D operations forward, half of it if causal with T = S, and 2.5 times
// that backward (which computes the scores again rather than keeping them). With one query (T = 1)
// the bound is reading the keys and values once, 2*B*S*Hkv*D elements, at the memory's rate.
#pragma once

#include <cstdint>

#include "gladius/tensor/precision.h"

namespace gladius::kernels {

/// Sizes of an attention: B sequences of T queries and S keys; H query heads of D elements that
/// share Hkv key and value heads, H / Hkv neighbours each.
///
/// q and out are [B, T, H, D], k and v [B, S, Hkv, D]. The heads of a token are contiguous; a
/// stride is the elements from one token to the next (and T or S strides are those from one
/// sequence to the next, or as many as a cache has room for), so that q, k and v may be slices of
/// one fused product.
struct AttentionShape {
  std::int64_t B, T, S, H, Hkv, D;
  std::int64_t q_stride, k_stride, v_stride, out_stride;
  double scale;  // of the dot products, usually 1 / sqrt(D)
  /// Query t sees no key after t + (S - T): with a cache of S - T earlier keys, its own and those
  /// before.
  bool causal = true;
  /// [B, T]: the first key that each query sees (packed examples, sliding windows); null: key 0.
  const std::int64_t* first_key = nullptr;
  /// Tokens from one sequence to the next of k and v, S or more; 0: S. Forward only.
  std::int64_t kv_capacity = 0;
  /// Of the products of floats. With bf16 also the probabilities and their gradients are rounded
  /// for the products that they are factors of; the softmax and all sums are in float. Few queries
  /// are computed in float, as their time is reading.
  Precision precision = Precision::f32;

  /// Where the keys of sequence b begin, in tokens.
  std::int64_t first_token(std::int64_t b) const { return b * (kv_capacity > 0 ? kv_capacity : S); }
};

/// out = softmax(scale * q k^T) v over the visible keys, and lse [B, H, T] = log of the sum of
/// exp(scale * q k^T), for T = float and double. A query without visible keys gives zeros and
/// lse = -infinity. Runs parallel over sequences, heads and blocks of queries; the same bits for
/// the same shape and thread count. Throws ShapeError for sizes or strides that contradict each
/// other.
template <class T>
void attention(const AttentionShape& shape, const T* q, const T* k, const T* v, T* out, T* lse);

/// The gradients dq, dk, dv (overwritten; strides of q, k, v) from dout (stride of out) and what
/// attention() was given and gave. Sequences of k and v follow each other (kv_capacity 0).
template <class T>
void attention_backward(const AttentionShape& shape, const T* q, const T* k, const T* v,
                        const T* out, const T* lse, const T* dout, T* dq, T* dk, T* dv);

}  // namespace gladius::kernels
