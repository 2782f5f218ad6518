#include "gladius/nn/attention.h"

#include <fmt/format.h>

#include "gladius/autograd/ops/attention.h"
#include "gladius/autograd/ops/views.h"

namespace gladius {
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

}  // namespace

GroupedQueryAttention::GroupedQueryAttention(const AttentionSizes& sizes,
                                             std::shared_ptr<RotaryEmbedding> rotary)
    : sizes_(sizes), rotary_(std::move(rotary)) {
  const std::int64_t queries = numel({sizes.num_heads, sizes.head_dim});
  const std::int64_t keys = numel({sizes.num_key_value_heads, sizes.head_dim});
  q_proj_ = register_module("q_proj",
                            std::make_shared<Linear>(sizes.hidden_size, queries, sizes.qkv_bias));
  k_proj_ =
      register_module("k_proj", std::make_shared<Linear>(sizes.hidden_size, keys, sizes.qkv_bias));
  v_proj_ =
      register_module("v_proj", std::make_shared<Linear>(sizes.hidden_size, keys, sizes.qkv_bias));
  o_proj_ =
      register_module("o_proj", std::make_shared<Linear>(queries, sizes.hidden_size, sizes.o_bias));
}

Variable GroupedQueryAttention::forward(const Variable& x, const TokenContext& context,
                                        LayerCache* cache) const {
  const std::int64_t B = x.size(0), T = x.size(1), D = sizes_.head_dim;
  const Variable q = rotary_->forward(reshape(q_proj_->forward(x), {B, T, sizes_.num_heads, D}),
                                      context.positions);
  Variable k = rotary_->forward(reshape(k_proj_->forward(x), {B, T, sizes_.num_key_value_heads, D}),
                                context.positions);
  Variable v = reshape(v_proj_->forward(x), {B, T, sizes_.num_key_value_heads, D});
  if (cache) {
    k = Variable(append(cache->k, cache->length, k.value()));
    v = Variable(append(cache->v, cache->length, v.value()));
    cache->length += T;
  }
  const Variable heads = scaled_dot_product_attention(q, k, v, {.first_key = context.first_key});
  return o_proj_->forward(reshape(heads, {B, T, sizes_.num_heads * D}));
}

}  // namespace gladius
