// The elementwise half of blocked attention, between the matrix products. Private to attention.cpp.
#pragma once

#include <cstdint>

#include "gladius/tensor/kernels/bf16_pair.h"

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
/// max. They are left as elements E, with pairs at the beginning of their row.
template <class E>
void softmax_block(const ScoreBlock<SumOf<E>>& block, SumOf<E>* max, SumOf<E>* sum, SumOf<E>* out,
                   std::int64_t head_size);

/// What softmax_block_backward leaves as factors of products, elements E of where block and dp
/// were.
template <class E>
struct ScoreGradients {
  /// p and ds [rows / kTerms<E>, columns], rows `down` apart.
  const E *p, *ds;
  std::int64_t down;
  /// ds [rows, columns / kTerms<E>], rows `stride` apart.
  const E* ds_along_rows;
  std::int64_t stride;
};

/// Probabilities p = exp(score - lse) and the gradient of the scores, ds = p * (dp - delta), from
/// that of p, `dp` (same stride). Both zero where not visible. Overwrites scores and dp, which have
/// a multiple of kTerms<E> rows.
template <class E>
ScoreGradients<E> softmax_block_backward(const ScoreBlock<SumOf<E>>& block, SumOf<E>* dp,
                                         const SumOf<E>* lse, const SumOf<E>* delta);

/// result[i] = a[i] . b[i] for `rows` rows of `size` elements.
template <class T>
void row_dots(std::int64_t rows, std::int64_t size, const T* a, const T* b, T* result);

}  // namespace gladius::kernels
