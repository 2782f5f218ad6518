// The elementwise half of blocked attention, between the matrix products. Private to attention.cpp.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// Keys [begin, end) of a block that a query sees; empty if begin >= end.
struct VisibleKeys {
  std::int64_t begin, end;
};

/// Rows of a score block have room for a multiple of this, so that SIMD needs no remainder.
inline constexpr std::int64_t kScorePadding = 64;

/// A block of scores: `rows` = queries of `heads` neighbouring heads each (row = query * heads +
/// head), `columns` keys, `stride` (with room for their padding) between rows.
template <class T>
struct ScoreBlock {
  T* scores;
  std::int64_t rows, columns, stride;
  std::int64_t heads;
  const VisibleKeys* visible;  // [rows / heads]
};

/// One step of the online softmax: scores become exp(score - max), zero where not visible, with the
/// running `max` and `sum` [rows] updated and the rows of `out` [rows, head_size] scaled to the new
/// max.
template <class T>
void softmax_block(const ScoreBlock<T>& block, T* max, T* sum, T* out, std::int64_t head_size);

/// Scores become probabilities p = exp(score - lse); `dp` (same stride), the gradient of p, becomes
/// the gradient of the scores p * (dp - delta). Both zero where not visible.
template <class T>
void softmax_block_backward(const ScoreBlock<T>& block, T* dp, const T* lse, const T* delta);

/// result[i] = a[i] . b[i] for `rows` rows of `size` elements.
template <class T>
void row_dots(std::int64_t rows, std::int64_t size, const T* a, const T* b, T* result);

}  // namespace gladius::kernels
