#include "gladius/nn/attention.h"
#include "support/layer.h"

namespace gladius::bench {
namespace {

// Of the two products over the visible pairs, forward, and of the five backward.
Passes visible_pairs(std::int64_t T) {
  const auto operations = 2 * static_cast<double>(H * T * (T + 1) * D);
  const auto queries = static_cast<double>(T * H * D), keys = static_cast<double>(T * Hkv * D);
  return {{operations, 2 * queries + 2 * keys}, {2.5 * operations, 4 * queries + 4 * keys}};
}

void grouped_query_attention(benchmark::State& state) {
  const std::int64_t T = tokens_of(state), kv = Hkv * D;
  const nn::AttentionSizes sizes{
      .hidden_size = C, .num_heads = H, .num_key_value_heads = Hkv, .head_dim = D};
  Layers<nn::GroupedQueryAttention> layers(
      [&] { return std::make_shared<nn::GroupedQueryAttention>(sizes); });
  const Tensor positions = Tensor::arange(T).view({1, T});
  const nn::AttentionContext context{
      .rotation = nn::RotaryEmbedding(D, 10000).rotation(positions, Dtype::F32), .first_key = {}};
  const Passes rotated = elements(2 * T * (C + kv), 2 * T * (C + kv));
  const Passes passes = linear_passes(T, C, C) + linear_passes(T, C, kv) + linear_passes(T, C, kv) +
                        rotated + visible_pairs(T) + linear_passes(T, C, C);
  run_layer(state, passes, [&] { return layers.next().forward(input({1, T, C}), context); });
}

BENCHMARK(grouped_query_attention)->Apply(passes_and_tokens);

}  // namespace
}  // namespace gladius::bench
