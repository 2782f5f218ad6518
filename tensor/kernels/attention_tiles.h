// How attention is cut into tasks, and what lies in the tiles. For attention.cpp and
// attention_backward.cpp only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/kernels/attention_panels.h"
#include "gladius/tensor/kernels/attention_softmax.h"
#include "gladius/tensor/kernels/bf16_pack.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {

// Rows (queries times heads of a group) and keys of a block, by measurement (bench/tensor/kernels):
// the scores of a block and what they are made from fit the second-level cache.
inline constexpr std::int64_t kRows = 192;
inline constexpr std::int64_t kKeys = 256;
static_assert(kKeys % kPanelKeys == 0 && kPanelKeys % kScorePadding == 0);
// Rows that share keys from which on it is worth rearranging them.
inline constexpr std::int64_t kPanelRows = 17;
// Operations that are worth a thread of their own.
inline constexpr std::int64_t kGrainOperations = 1 << 18;

// Throws ShapeError for sizes that contradict each other.
void check_attention(const AttentionShape& s);

inline bool rearranges_keys(const AttentionShape& s) { return s.T * (s.H / s.Hkv) >= kPanelRows; }

inline bool multiplies_pairs(const AttentionShape& s) {
  return s.precision == Precision::bf16 && rearranges_keys(s);
}

// What one task works on: some queries of some neighbouring query heads with one key head in
// common.
struct Tile {
  std::int64_t b, kv_head;
  std::int64_t head, heads;  // query heads [head, head + heads)
  std::int64_t t, queries;   // queries [t, t + queries)
  std::int64_t rows() const { return queries * heads; }
};

inline VisibleKeys visible_keys(const AttentionShape& s, std::int64_t b, std::int64_t t) {
  const std::int64_t first = s.first_key ? std::max<std::int64_t>(s.first_key[b * s.T + t], 0) : 0;
  const std::int64_t end = s.causal ? std::min(t + s.S - s.T + 1, s.S) : s.S;
  return {first, end};
}

// The smallest range of keys that holds all those that any query of the tile sees.
inline VisibleKeys visible_keys(const AttentionShape& s, const Tile& tile) {
  VisibleKeys all{s.S, 0};
  for (std::int64_t t = tile.t; t < tile.t + tile.queries; ++t) {
    const VisibleKeys seen = visible_keys(s, tile.b, t);
    if (seen.begin >= seen.end) continue;
    all = {std::min(all.begin, seen.begin), std::max(all.end, seen.end)};
  }
  return all;
}

// How the work is cut into tiles: the heads that share a key head go together, so that keys and
// values are read once for all of them, unless that leaves threads idle (decoding with few key
// heads).
struct Tiling {
  std::int64_t heads;    // query heads of a tile
  std::int64_t queries;  // queries of a tile
  std::int64_t groups;   // tiles side by side in a sequence: key heads times parts of their groups
  std::int64_t blocks;   // tiles one after the other

  explicit Tiling(const AttentionShape& s) {
    const std::int64_t group = s.H / s.Hkv;
    const std::int64_t whole_tiles = s.B * s.Hkv * ceil_div(s.T * group, kRows);
    const std::int64_t parts =
        std::min(ceil_div(num_threads(), std::max<std::int64_t>(whole_tiles, 1)), group);
    heads = std::min(ceil_div(group, parts), kRows);
    queries = std::clamp<std::int64_t>(kRows / heads, 1, std::max<std::int64_t>(s.T, 1));
    groups = s.Hkv * ceil_div(group, heads);
    blocks = ceil_div(s.T, queries);
  }

  Tile tile(const AttentionShape& s, std::int64_t b, std::int64_t group, std::int64_t block) const {
    const std::int64_t shared = s.H / s.Hkv;
    const std::int64_t parts = groups / s.Hkv;
    const std::int64_t kv_head = group / parts;
    const std::int64_t offset = group % parts * heads;
    return {b,
            kv_head,
            kv_head * shared + offset,
            std::min(heads, shared - offset),
            block * queries,
            std::min(queries, s.T - block * queries)};
  }
};

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

// Fetches the lines of the cache into the second level: token by token they are too short for the
// processor to see what follows. Inlined, as GCC leaves out calls that do nothing but fetch.
template <class T>
[[gnu::always_inline]] inline void fetch_tile(const AttentionShape& s, const Tile& tile,
                                              const T* tokens, std::int64_t stride) {
  constexpr std::int64_t line = 64 / sizeof(T);
  const T* token = tokens + (tile.b * s.T + tile.t) * stride + tile.head * s.D;
  const std::int64_t size = tile.heads * s.D;
  for (std::int64_t i = 0; i < tile.queries; ++i, token += stride) {
    for (std::int64_t at = 0; at < size; at += line) __builtin_prefetch(token + at, 0, 2);
    __builtin_prefetch(token + size - 1, 0, 2);
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

inline std::int64_t score_stride(std::int64_t keys) {
  // A line of the cache more: strides of a power of two share its sets.
  return padded_keys(std::min(keys, kKeys)) + 16;
}

// Tasks that are worth a thread of their own, by the operations of so many products over all tiles;
// the causal half is not worth telling apart here.
inline std::int64_t grain(const AttentionShape& s, std::int64_t tasks, std::int64_t products) {
  const std::int64_t operations = 2 * products * s.B * s.H * s.T * s.S * s.D;
  return std::max<std::int64_t>(1,
                                kGrainOperations * tasks / std::max<std::int64_t>(operations, 1));
}

struct AlongRows;
struct AlongColumns;

// x [rows, columns] as elements of neighbours in a row, [rows, columns / kTerms<E>]: x itself, or
// in scratch memory of the owner.
template <class Owner, class E>
const E* along_rows(std::int64_t rows, std::int64_t columns, const SumOf<E>* x) {
  if constexpr (kTerms<E> == 1) {
    return x;
  } else {
    const std::int64_t pairs = ceil_div(columns, 2);
    E* y = thread_scratch<std::pair<Owner*, AlongRows*>, E>(static_cast<std::size_t>(rows * pairs));
    pack_along_rows(rows, columns, x, columns, y, pairs);
    return y;
  }
}

// The same of neighbours in a column, [rows / kTerms<E>, columns].
template <class Owner, class E>
const E* along_columns(std::int64_t rows, std::int64_t columns, const SumOf<E>* x) {
  if constexpr (kTerms<E> == 1) {
    return x;
  } else {
    E* y = thread_scratch<std::pair<Owner*, AlongColumns*>, E>(
        static_cast<std::size_t>(ceil_div(rows, 2) * columns));
    pack_along_columns(rows, columns, x, columns, y, columns);
    return y;
  }
}

}  // namespace gladius::kernels
