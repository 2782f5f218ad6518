// How attention is cut into tasks. For attention.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gladius/tensor/kernels/attention.h"
#include "gladius/tensor/kernels/attention_softmax.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {

// Rows (queries times heads of a group) and keys of a block, by measurement (bench/tensor/kernels):
// the scores of a block and what they are made from fit the second-level cache.
inline constexpr std::int64_t kRows = 192;
inline constexpr std::int64_t kKeys = 256;

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

}  // namespace gladius::kernels
