#include "gladius/nn/attention.h"

#include <fmt/format.h>

#include "gladius/autograd/ops/attention.h"
#include "gladius/autograd/ops/views.h"

namespace gladius::nn {
namespace {

// Appends to a cache and returns all it holds.
Tensor append(Tensor& store, std::int64_t length, const Tensor& added) {
  const std::int64_t T = added.size(1);
  if (length < 0 || T > store.size(1) - length) {
    throw ShapeError(
        fmt::format("attention: {} tokens do not fit the rest of a cache of {} that holds {}", T,
                    store.size(1), length));
  }
  store.narrow(1, length, T).copy_(added);
  return store.narrow(1, 0, length + T);
}

// [B, T, H * D] -> [B, T, H, D], through the norm if there is one.
Variable heads(const Variable& projected, std::int64_t H, const RMSNorm* norm = nullptr) {
  const Variable split =
      reshape(projected, {projected.size(0), projected.size(1), H, projected.size(2) / H});
  return norm ? norm->forward(split) : split;
}

}  // namespace

GroupedQueryAttention::GroupedQueryAttention(const AttentionSizes& sizes) : sizes_(sizes) {
  const std::int64_t C = sizes.hidden_size;
  const std::int64_t queries = numel({sizes.num_heads, sizes.head_dim});
  const std::int64_t keys = numel({sizes.num_key_value_heads, sizes.head_dim});
  const auto linear = [&](const char* name, std::int64_t in, std::int64_t out, bool bias) {
    return register_module(name, std::make_shared<Linear>(in, out, bias));
  };
  q_proj_ = linear("q_proj", C, queries, sizes.qkv_bias);
  k_proj_ = linear("k_proj", C, keys, sizes.qkv_bias);
  v_proj_ = linear("v_proj", C, keys, sizes.qkv_bias);
  o_proj_ = linear("o_proj", queries, C, sizes.o_bias);
  if (!sizes.qk_norm_eps) return;
  const auto norm = [&](const char* name) {
    return register_module(name, std::make_shared<RMSNorm>(sizes.head_dim, *sizes.qk_norm_eps));
  };
  q_norm_ = norm("q_norm");
  k_norm_ = norm("k_norm");
}

Variable GroupedQueryAttention::forward(const Variable& x, const AttentionContext& context,
                                        LayerCache* cache) const {
  const std::int64_t B = x.size(0), T = x.size(1);
  const std::int64_t H = sizes_.num_heads, Hkv = sizes_.num_key_value_heads;
  auto [q, k, v] = forward_each(x, *q_proj_, *k_proj_, *v_proj_);
  q = rotate(heads(q, H, q_norm_.get()), context.rotation);
  k = rotate(heads(k, Hkv, k_norm_.get()), context.rotation);
  v = heads(v, Hkv);
  if (cache) {
    k = Variable(append(cache->k, cache->length, k.value()));
    v = Variable(append(cache->v, cache->length, v.value()));
    cache->length += T;
  }
  const Variable mixed = scaled_dot_product_attention(q, k, v, {.first_key = context.first_key});
  return o_proj_->forward(reshape(mixed, {B, T, H * sizes_.head_dim}));
}

std::int64_t GroupedQueryAttention::saved_per_token() const {
  const std::int64_t queries = sizes_.num_heads * sizes_.head_dim;
  const std::int64_t keys = sizes_.num_key_value_heads * sizes_.head_dim;
  const std::int64_t rotated = queries + keys, values_and_result = keys + queries;
  return rotated + values_and_result + (sizes_.qk_norm_eps ? queries + keys : 0);
}

std::int64_t GroupedQueryAttention::cached_per_token() const {
  return 2 * sizes_.num_key_value_heads * sizes_.head_dim;
}

}  // namespace gladius::nn
