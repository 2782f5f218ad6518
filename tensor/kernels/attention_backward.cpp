#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/kernels/attention_panels.h"
#include "gladius/tensor/kernels/attention_softmax.h"
#include "gladius/tensor/kernels/attention_tiles.h"
#include "gladius/tensor/kernels/gemm_small.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/storage.h"

namespace gladius::kernels {
namespace {

struct BackwardScratch;
struct QueryScratch;
struct OutScratch;

// Keys and values as the backward pass takes them.
template <class E>
struct BackwardKeys {
  KeyPanels<E> transposed_k, transposed_v, rows_k;

  BackwardKeys(const AttentionShape& s, const SumOf<E>* k, const SumOf<E>* v)
      : transposed_k(transposed_panels<E>(s, k, s.k_stride)),
        transposed_v(transposed_panels<E>(s, v, s.v_stride)),
        rows_k(row_panels<E>(s, k, s.k_stride)) {}
};

// Where the gradients of the keys and values of one key head are summed up.
template <class T>
struct KeyGradients {
  T* dk;
  std::int64_t dk_stride;
  T* dv;
  std::int64_t dv_stride;
};

template <class E, class T>
void backward_tile(const AttentionShape& s, const Tile& tile, const T* q,
                   const BackwardKeys<E>& keys, const T* out, const T* lse, const T* dout, T* dq,
                   const KeyGradients<T>& sums) {
  const std::int64_t rows = tile.rows();
  const std::int64_t elements = ceil_div(rows, kTerms<E>);  // of a column
  const std::int64_t stride = score_stride(s.S);
  const std::int64_t score_rows = elements * kTerms<E>;
  T* scores = thread_scratch<BackwardScratch, T>(
      static_cast<std::size_t>(2 * score_rows * stride + rows * (3 * s.D + 2)));
  T* dscores = scores + score_rows * stride;
  T* queries = dscores + score_rows * stride;
  T* douts = queries + rows * s.D;
  T* dqueries = douts + rows * s.D;
  T* row_lse = dqueries + rows * s.D;
  T* delta = row_lse + rows;
  fetch_tile(s, tile, dout, s.out_stride);
  fetch_tile(s, tile, out, s.out_stride);
  fetch_tile(s, tile, q, s.q_stride);
  load_tile(s, tile, dout, s.out_stride, T{1}, douts);
  load_tile(s, tile, out, s.out_stride, T{1}, dqueries);  // only to be multiplied with dout
  row_dots(rows, s.D, douts, dqueries, delta);
  std::fill(dqueries, row_lse, T{0});
  load_tile(s, tile, q, s.q_stride, static_cast<T>(s.scale), queries);
  for_tile_lse(s, tile, lse, [&](const T& value, std::int64_t row) { row_lse[row] = value; });
  fetch_tile(s, tile, dq, s.q_stride);
  const E* query_rows = along_rows<QueryScratch, E>(rows, s.D, queries);
  const E* query_columns = along_columns<QueryScratch, E>(rows, s.D, queries);
  const E* dout_rows = along_rows<OutScratch, E>(rows, s.D, douts);
  const E* dout_columns = along_columns<OutScratch, E>(rows, s.D, douts);

  for_key_blocks(s, tile, scores, stride, [&](std::int64_t key, const ScoreBlock<T>& block) {
    const std::int64_t columns = block.columns;
    const auto panels = [&](const KeyPanels<E>& of) { return of.at(tile.b, tile.kv_head, key); };
    multiply_panels(rows, columns, s.D, query_rows, keys.transposed_k, panels(keys.transposed_k),
                    scores, stride);
    multiply_panels(rows, columns, s.D, dout_rows, keys.transposed_v, panels(keys.transposed_v),
                    dscores, stride);
    const ScoreGradients<E> g = softmax_block_backward<E>(block, dscores, row_lse, delta);
    gemm_small(columns, s.D, elements, g.p, 1, g.down, dout_columns, s.D,
               sums.dv + key * sums.dv_stride, sums.dv_stride, true);
    // The queries carry the scale already.
    gemm_small(columns, s.D, elements, g.ds, 1, g.down, query_columns, s.D,
               sums.dk + key * sums.dk_stride, sums.dk_stride, true);
    gemm_small(rows, s.D, ceil_div(columns, kTerms<E>), g.ds_along_rows, g.stride, 1,
               panels(keys.rows_k), s.D, dqueries, s.D, true);
  });
  store_tile(s, tile, dqueries, static_cast<T>(s.scale), dq, s.q_stride);
}

template <class T>
void zero_tokens(std::int64_t tokens, std::int64_t size, T* data, std::int64_t stride) {
  for (std::int64_t i = 0; i < tokens; ++i) std::fill_n(data + i * stride, size, T{0});
}

// Parts of the queries that sum up dk and dv on their own, so that threads share out the work
// evenly also where there are few key heads.
std::int64_t query_parts(std::int64_t key_heads, std::int64_t blocks) {
  const std::int64_t threads = num_threads();
  std::int64_t parts = 1;
  while (parts < blocks && key_heads * parts % threads != 0 && key_heads * parts < 4 * threads)
    ++parts;
  return parts;
}

template <class E, class T>
void attention_backward_of(const AttentionShape& s, const T* q, const T* k, const T* v,
                           const T* out, const T* lse, const T* dout, T* dq, T* dk, T* dv) {
  const Tiling tiling(s);
  const BackwardKeys<E> keys(s, k, v);
  const std::int64_t tiles_per_head = tiling.groups / s.Hkv * tiling.blocks;
  const std::int64_t key_heads = s.B * s.Hkv;
  const std::int64_t parts = query_parts(key_heads, tiles_per_head);
  const std::int64_t part_size = s.S * s.D;
  // The first part sums up in dk and dv themselves, the others in memory of their own.
  const auto others = Storage::allocate(
      static_cast<std::size_t>(2 * key_heads * (parts - 1) * part_size) * sizeof(T));
  const auto gradients = [&](std::int64_t key_head, std::int64_t part) -> KeyGradients<T> {
    const std::int64_t b = key_head / s.Hkv;
    const std::int64_t offset = key_head % s.Hkv * s.D;
    if (part == 0) {
      return {dk + b * s.S * s.k_stride + offset, s.k_stride, dv + b * s.S * s.v_stride + offset,
              s.v_stride};
    }
    T* own =
        reinterpret_cast<T*>(others->data()) + 2 * (key_head * (parts - 1) + part - 1) * part_size;
    return {own, s.D, own + part_size, s.D};
  };

  const std::int64_t tasks = key_heads * parts;
  parallel_for(tasks, grain(s, tasks, 5), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t key_head = task / parts;
      const KeyGradients<T> sums = gradients(key_head, task % parts);
      zero_tokens(s.S, s.D, sums.dk, sums.dk_stride);
      zero_tokens(s.S, s.D, sums.dv, sums.dv_stride);
      const auto tile_of = [&](std::int64_t i) {
        const std::int64_t group = key_head % s.Hkv * (tiling.groups / s.Hkv) + i / tiling.blocks;
        return tiling.tile(s, key_head / s.Hkv, group, i % tiling.blocks);
      };
      for (std::int64_t i = task % parts; i < tiles_per_head; i += parts) {
        backward_tile(s, tile_of(i), q, keys, out, lse, dout, dq, sums);
      }
    }
  });
  if (parts == 1) return;

  parallel_for(key_heads * s.S, ceil_div(1 << 14, s.D * parts),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t token = begin; token < end; ++token) {
                   const std::int64_t key = token % s.S;
                   const KeyGradients<T> total = gradients(token / s.S, 0);
                   for (std::int64_t part = 1; part < parts; ++part) {
                     const KeyGradients<T> added = gradients(token / s.S, part);
                     for (std::int64_t i = 0; i < s.D; ++i) {
                       total.dk[key * total.dk_stride + i] += added.dk[key * s.D + i];
                       total.dv[key * total.dv_stride + i] += added.dv[key * s.D + i];
                     }
                   }
                 }
               });
}

}  // namespace

template <class T>
void attention_backward(const AttentionShape& s, const T* q, const T* k, const T* v, const T* out,
                        const T* lse, const T* dout, T* dq, T* dk, T* dv) {
  check_attention(s);
  if constexpr (std::is_same_v<T, float>) {
    if (multiplies_pairs(s)) {
      return attention_backward_of<Bf16Pair>(s, q, k, v, out, lse, dout, dq, dk, dv);
    }
  }
  attention_backward_of<T>(s, q, k, v, out, lse, dout, dq, dk, dv);
}

template void attention_backward(const AttentionShape&, const float*, const float*, const float*,
                                 const float*, const float*, const float*, float*, float*, float*);
template void attention_backward(const AttentionShape&, const double*, const double*, const double*,
                                 const double*, const double*, const double*, double*, double*,
                                 double*);

}  // namespace gladius::kernels
