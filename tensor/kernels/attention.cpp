#include "gladius/tensor/kernels/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/kernels/attention_panels.h"
#include "gladius/tensor/kernels/attention_softmax.h"
#include "gladius/tensor/kernels/attention_tiles.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/kernels/gemm_small.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {
void check_attention(const AttentionShape& s) {
  if (std::min({s.B, s.T, s.S}) < 0 || s.D < 1 || s.H < 1 || s.Hkv < 1 || s.H % s.Hkv != 0) {
    throw ShapeError(fmt::format(
        "attention: B, T, S, H, Hkv, D = {}, {}, {}, {}, {}, {}; expected no negative size, "
        "D >= 1 and query heads that are a multiple of the key heads",
        s.B, s.T, s.S, s.H, s.Hkv, s.D));
  }
  if (std::min(s.q_stride, s.out_stride) < s.H * s.D ||
      std::min(s.k_stride, s.v_stride) < s.Hkv * s.D) {
    throw ShapeError(
        fmt::format("attention: token strides {}, {}, {}, {} of q, k, v, out are less than {} "
                    "heads ({} of k and "
                    "v) of {} elements",
                    s.q_stride, s.k_stride, s.v_stride, s.out_stride, s.H, s.Hkv, s.D));
  }
  if (s.kv_capacity != 0 && s.kv_capacity < s.S) {
    throw ShapeError(
        fmt::format("attention: {} keys of a cache that has room for {}", s.S, s.kv_capacity));
  }
}

namespace {

struct ForwardScratch;

// Keys and values as the forward pass takes them; without panels as they are.
template <class E>
struct ForwardKeys {
  using T = SumOf<E>;

  const T *k, *v;
  std::optional<KeyPanels<E>> transposed_k, rows_v;

  ForwardKeys(const AttentionShape& s, const T* keys, const T* values) : k(keys), v(values) {
    if (!rearranges_keys(s)) return;
    transposed_k = transposed_panels<E>(s, k, s.k_stride);
    rows_v = row_panels<E>(s, v, s.v_stride);
  }

  // scores [rows, columns] = queries [rows, D] times the keys from `key` on.
  void multiply_keys(const AttentionShape& s, const Tile& tile, std::int64_t key,
                     std::int64_t columns, const E* queries, T* scores, std::int64_t stride) const {
    if (transposed_k) {
      return multiply_panels(tile.rows(), columns, s.D, queries, *transposed_k,
                             transposed_k->at(tile.b, tile.kv_head, key), scores, stride);
    }
    if constexpr (std::is_same_v<E, T>) {
      const T* keys = k + (s.first_token(tile.b) + key) * s.k_stride + tile.kv_head * s.D;
      gemm(tile.rows(), columns, s.D, queries, s.D, keys, s.k_stride, scores, stride,
           {.transpose_b = true});
    }
  }

  // sums [rows, D] += weights [rows, columns] times the values from `key` on.
  void add_values(const AttentionShape& s, const Tile& tile, std::int64_t key, std::int64_t columns,
                  const E* weights, std::int64_t stride, T* sums) const {
    const auto add = [&](const E* values, std::int64_t ld) {
      gemm_small(tile.rows(), s.D, ceil_div(columns, kTerms<E>), weights, stride, 1, values, ld,
                 sums, s.D, true);
    };
    if (rows_v) return add(rows_v->at(tile.b, tile.kv_head, key), s.D);
    if constexpr (std::is_same_v<E, T>) {
      add(v + (s.first_token(tile.b) + key) * s.v_stride + tile.kv_head * s.D, s.v_stride);
    }
  }
};

template <class E, class T>
void forward_tile(const AttentionShape& s, const Tile& tile, const T* q, const ForwardKeys<E>& keys,
                  T* out, T* lse) {
  const std::int64_t rows = tile.rows();
  const std::int64_t stride = score_stride(s.S);
  T* scores =
      thread_scratch<ForwardScratch, T>(static_cast<std::size_t>(rows * (stride + 2 * s.D + 2)));
  T* floats = scores + rows * stride;
  T* sums = floats + rows * s.D;  // of p * v
  T* max = sums + rows * s.D;
  T* sum = max + rows;
  std::fill(sums, max, T{0});
  std::fill(max, sum, -std::numeric_limits<T>::infinity());
  std::fill(sum, sum + rows, T{0});
  load_tile(s, tile, q, s.q_stride, static_cast<T>(s.scale), floats);
  fetch_tile(s, tile, out, s.out_stride);
  const E* queries = along_rows<ForwardScratch, E>(rows, s.D, floats);

  for_key_blocks(s, tile, scores, stride, [&](std::int64_t key, const ScoreBlock<T>& block) {
    keys.multiply_keys(s, tile, key, block.columns, queries, scores, stride);
    softmax_block<E>(block, max, sum, sums, s.D);
    keys.add_values(s, tile, key, block.columns, reinterpret_cast<const E*>(scores), stride, sums);
  });

  for (std::int64_t row = 0; row < rows; ++row) {
    // A row that has seen no key stays zero; a sum that is NaN is passed on.
    const T factor = sum[row] == T{0} ? T{0} : T{1} / sum[row];
    for (std::int64_t i = 0; i < s.D; ++i) sums[row * s.D + i] *= factor;
  }
  store_tile(s, tile, sums, T{1}, out, s.out_stride);
  for_tile_lse(s, tile, lse,
               [&](T& value, std::int64_t row) { value = max[row] + std::log(sum[row]); });
}

template <class E, class T>
void attention_of(const AttentionShape& shape, const T* q, const T* k, const T* v, T* out, T* lse) {
  const Tiling tiling(shape);
  const ForwardKeys<E> keys(shape, k, v);
  const std::int64_t tasks = shape.B * tiling.groups * tiling.blocks;
  const auto tile_of = [&](std::int64_t task) {
    // Causal blocks grow towards the end; first, last, second, last but one, ... evens out any
    // range.
    const std::int64_t turn = task % tiling.blocks;
    const std::int64_t block = turn % 2 == 0 ? turn / 2 : tiling.blocks - 1 - turn / 2;
    const std::int64_t group = task / tiling.blocks;
    return tiling.tile(shape, group / tiling.groups, group % tiling.groups, block);
  };
  parallel_for(tasks, grain(shape, tasks, 2), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      if (task + 1 < end) fetch_tile(shape, tile_of(task + 1), q, shape.q_stride);
      forward_tile(shape, tile_of(task), q, keys, out, lse);
    }
  });
}

}  // namespace

template <class T>
void attention(const AttentionShape& shape, const T* q, const T* k, const T* v, T* out, T* lse) {
  check_attention(shape);
  if constexpr (std::is_same_v<T, float>) {
    if (multiplies_pairs(shape)) return attention_of<Bf16Pair>(shape, q, k, v, out, lse);
  }
  attention_of<T>(shape, q, k, v, out, lse);
}

template void attention(const AttentionShape&, const float*, const float*, const float*, float*,
                        float*);
template void attention(const AttentionShape&, const double*, const double*, const double*, double*,
                        double*);

}  // namespace gladius::kernels
