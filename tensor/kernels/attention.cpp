#include "gladius/tensor/kernels/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/kernels/attention_panels.h"
#include "gladius/tensor/kernels/attention_softmax.h"
#include "gladius/tensor/kernels/attention_tiles.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/kernels/gemm_small.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/storage.h"

namespace gladius::kernels {
namespace {

static_assert(kKeys % kPanelKeys == 0 && kPanelKeys % kScorePadding == 0);
// Rows that share keys from which on it is worth rearranging them.
constexpr std::int64_t kPanelRows = 17;
// Operations that are worth a thread of their own.
constexpr std::int64_t kGrainOperations = 1 << 18;

void check(const AttentionShape& s) {
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

// Calls body(first key, block of scores) for the key blocks that the tile sees, in order; each
// begins at a panel.
template <class T, class Body>
void for_key_blocks(const AttentionShape& s, const Tile& tile, T* scores, std::int64_t stride,
                    Body&& body) {
  std::array<VisibleKeys, kRows> visible;
  const VisibleKeys all = visible_keys(s, tile);
  for (std::int64_t begin = all.begin / kPanelKeys * kPanelKeys; begin < all.end; begin += kKeys) {
    const std::int64_t columns = std::min(kKeys, all.end - begin);
    for (std::int64_t i = 0; i < tile.queries; ++i) {
      const VisibleKeys seen = visible_keys(s, tile.b, tile.t + i);
      visible[static_cast<std::size_t>(i)] = {std::max<std::int64_t>(seen.begin - begin, 0),
                                              std::min(seen.end - begin, columns)};
    }
    body(begin, ScoreBlock<T>{scores, tile.rows(), columns, stride, tile.heads, visible.data()});
  }
}

// Between [B, T, H, D] and the tile's rows, contiguous: `move` gets a pointer into each and a
// length.
template <class T, class Move>
void for_tile_rows(const AttentionShape& s, const Tile& tile, T* tokens, std::int64_t stride,
                   Move&& move) {
  T* token = tokens + (tile.b * s.T + tile.t) * stride + tile.head * s.D;
  for (std::int64_t i = 0; i < tile.queries; ++i, token += stride) {
    move(token, i * tile.heads * s.D, tile.heads * s.D);
  }
}

template <class T>
void load_tile(const AttentionShape& s, const Tile& tile, const T* tokens, std::int64_t stride,
               T factor, T* rows) {
  for_tile_rows(s, tile, tokens, stride, [&](const T* token, std::int64_t at, std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) rows[at + i] = factor * token[i];
  });
}

template <class T>
void store_tile(const AttentionShape& s, const Tile& tile, const T* rows, T factor, T* tokens,
                std::int64_t stride) {
  for_tile_rows(s, tile, tokens, stride, [&](T* token, std::int64_t at, std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) token[i] = factor * rows[at + i];
  });
}

// Calls move(an element of lse [B, H, T], the row it belongs to).
template <class T, class Move>
void for_tile_lse(const AttentionShape& s, const Tile& tile, T* lse, Move&& move) {
  for (std::int64_t g = 0; g < tile.heads; ++g) {
    T* head_lse = lse + (tile.b * s.H + tile.head + g) * s.T + tile.t;
    for (std::int64_t i = 0; i < tile.queries; ++i) move(head_lse[i], i * tile.heads + g);
  }
}

std::int64_t score_stride(std::int64_t keys) {
  // A line of the cache more: strides of a power of two share its sets.
  return padded_keys(std::min(keys, kKeys)) + 16;
}

// Operations of one product over all tiles; the causal half is not worth telling apart here.
std::int64_t grain(const AttentionShape& s, std::int64_t tasks, std::int64_t products) {
  const std::int64_t operations = 2 * products * s.B * s.H * s.T * s.S * s.D;
  return std::max<std::int64_t>(1,
                                kGrainOperations * tasks / std::max<std::int64_t>(operations, 1));
}

struct ForwardScratch;
struct BackwardScratch;

// Keys and values as the forward pass takes them; without panels as they are.
template <class T>
struct ForwardKeys {
  const T *k, *v;
  std::optional<KeyPanels<T>> transposed_k, rows_v;

  ForwardKeys(const AttentionShape& s, const T* keys, const T* values) : k(keys), v(values) {
    if (s.T * (s.H / s.Hkv) < kPanelRows) return;
    transposed_k = transposed_panels(s, k, s.k_stride);
    rows_v = row_panels(s, v, s.v_stride);
  }

  // scores [rows, columns] = queries [rows, D] times the keys from `key` on.
  void multiply_keys(const AttentionShape& s, const Tile& tile, std::int64_t key,
                     std::int64_t columns, const T* queries, T* scores, std::int64_t stride) const {
    if (transposed_k) {
      return multiply_panels(tile.rows(), columns, s.D, queries,
                             transposed_k->at(tile.b, tile.kv_head, key), scores, stride);
    }
    const T* keys = k + (s.first_token(tile.b) + key) * s.k_stride + tile.kv_head * s.D;
    gemm(tile.rows(), columns, s.D, queries, s.D, keys, s.k_stride, scores, stride,
         {.transpose_b = true});
  }

  // sums [rows, D] += scores [rows, columns] times the values from `key` on.
  void add_values(const AttentionShape& s, const Tile& tile, std::int64_t key, std::int64_t columns,
                  const T* scores, std::int64_t stride, T* sums) const {
    const T* values = rows_v ? rows_v->at(tile.b, tile.kv_head, key)
                             : v + (s.first_token(tile.b) + key) * s.v_stride + tile.kv_head * s.D;
    gemm_small(tile.rows(), s.D, columns, scores, stride, 1, values, rows_v ? s.D : s.v_stride,
               sums, s.D, true);
  }
};

template <class T>
void forward_tile(const AttentionShape& s, const Tile& tile, const T* q, const ForwardKeys<T>& keys,
                  T* out, T* lse) {
  const std::int64_t rows = tile.rows();
  const std::int64_t stride = score_stride(s.S);
  T* scores =
      thread_scratch<ForwardScratch, T>(static_cast<std::size_t>(rows * (stride + 2 * s.D + 2)));
  T* queries = scores + rows * stride;
  T* sums = queries + rows * s.D;  // of p * v
  T* max = sums + rows * s.D;
  T* sum = max + rows;
  std::fill(sums, max, T{0});
  std::fill(max, sum, -std::numeric_limits<T>::infinity());
  std::fill(sum, sum + rows, T{0});
  load_tile(s, tile, q, s.q_stride, static_cast<T>(s.scale), queries);

  for_key_blocks(s, tile, scores, stride, [&](std::int64_t key, const ScoreBlock<T>& block) {
    keys.multiply_keys(s, tile, key, block.columns, queries, scores, stride);
    softmax_block(block, max, sum, sums, s.D);
    keys.add_values(s, tile, key, block.columns, scores, stride, sums);
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

// Keys and values as the backward pass takes them.
template <class T>
struct BackwardKeys {
  KeyPanels<T> transposed_k, transposed_v, rows_k;

  BackwardKeys(const AttentionShape& s, const T* k, const T* v)
      : transposed_k(transposed_panels(s, k, s.k_stride)),
        transposed_v(transposed_panels(s, v, s.v_stride)),
        rows_k(row_panels(s, k, s.k_stride)) {}
};

// Where the gradients of the keys and values of one key head are summed up.
template <class T>
struct KeyGradients {
  T* dk;
  std::int64_t dk_stride;
  T* dv;
  std::int64_t dv_stride;
};

template <class T>
void backward_tile(const AttentionShape& s, const Tile& tile, const T* q,
                   const BackwardKeys<T>& keys, const T* out, const T* lse, const T* dout, T* dq,
                   const KeyGradients<T>& sums) {
  const std::int64_t rows = tile.rows();
  const std::int64_t stride = score_stride(s.S);
  T* scores = thread_scratch<BackwardScratch, T>(
      static_cast<std::size_t>(rows * (2 * stride + 3 * s.D + 2)));
  T* dscores = scores + rows * stride;
  T* queries = dscores + rows * stride;
  T* douts = queries + rows * s.D;
  T* dqueries = douts + rows * s.D;
  T* row_lse = dqueries + rows * s.D;
  T* delta = row_lse + rows;
  load_tile(s, tile, dout, s.out_stride, T{1}, douts);
  load_tile(s, tile, out, s.out_stride, T{1}, dqueries);  // only to be multiplied with dout
  row_dots(rows, s.D, douts, dqueries, delta);
  std::fill(dqueries, row_lse, T{0});
  load_tile(s, tile, q, s.q_stride, static_cast<T>(s.scale), queries);
  for_tile_lse(s, tile, lse, [&](const T& value, std::int64_t row) { row_lse[row] = value; });

  for_key_blocks(s, tile, scores, stride, [&](std::int64_t key, const ScoreBlock<T>& block) {
    const std::int64_t columns = block.columns;
    const auto panels = [&](const KeyPanels<T>& of) { return of.at(tile.b, tile.kv_head, key); };
    multiply_panels(rows, columns, s.D, queries, panels(keys.transposed_k), scores, stride);
    multiply_panels(rows, columns, s.D, douts, panels(keys.transposed_v), dscores, stride);
    softmax_block_backward(block, dscores, row_lse, delta);
    gemm_small(columns, s.D, rows, scores, 1, stride, douts, s.D, sums.dv + key * sums.dv_stride,
               sums.dv_stride, true);
    // The queries carry the scale already.
    gemm_small(columns, s.D, rows, dscores, 1, stride, queries, s.D, sums.dk + key * sums.dk_stride,
               sums.dk_stride, true);
    gemm_small(rows, s.D, columns, dscores, stride, 1, panels(keys.rows_k), s.D, dqueries, s.D,
               true);
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

}  // namespace

template <class T>
void attention(const AttentionShape& shape, const T* q, const T* k, const T* v, T* out, T* lse) {
  check(shape);
  const Tiling tiling(shape);
  const ForwardKeys<T> keys(shape, k, v);
  const std::int64_t tasks = shape.B * tiling.groups * tiling.blocks;
  parallel_for(tasks, grain(shape, tasks, 2), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      // Causal blocks grow towards the end; first, last, second, last but one, ... evens out any
      // range.
      const std::int64_t turn = task % tiling.blocks;
      const std::int64_t block = turn % 2 == 0 ? turn / 2 : tiling.blocks - 1 - turn / 2;
      const std::int64_t group = task / tiling.blocks;
      const Tile tile = tiling.tile(shape, group / tiling.groups, group % tiling.groups, block);
      forward_tile(shape, tile, q, keys, out, lse);
    }
  });
}

template <class T>
void attention_backward(const AttentionShape& s, const T* q, const T* k, const T* v, const T* out,
                        const T* lse, const T* dout, T* dq, T* dk, T* dv) {
  check(s);
  const Tiling tiling(s);
  const BackwardKeys<T> keys(s, k, v);
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
      for (std::int64_t i = task % parts; i < tiles_per_head; i += parts) {
        const std::int64_t group = key_head % s.Hkv * (tiling.groups / s.Hkv) + i / tiling.blocks;
        const Tile tile = tiling.tile(s, key_head / s.Hkv, group, i % tiling.blocks);
        backward_tile(s, tile, q, keys, out, lse, dout, dq, sums);
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

template void attention(const AttentionShape&, const float*, const float*, const float*, float*,
                        float*);
template void attention(const AttentionShape&, const double*, const double*, const double*, double*,
                        double*);
template void attention_backward(const AttentionShape&, const float*, const float*, const float*,
                                 const float*, const float*, const float*, float*, float*, float*);
template void attention_backward(const AttentionShape&, const double*, const double*, const double*,
                                 const double*, const double*, const double*, double*, double*,
                                 double*);

}  // namespace gladius::kernels
