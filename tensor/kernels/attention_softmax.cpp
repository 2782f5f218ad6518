#include "gladius/tensor/kernels/attention_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/attention_softmax.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// Prepares a row for loops over whole vectors, returned as a range of columns: outside of it
// `zeroed` becomes zero, inside of it the scores that are not visible become -infinity (whose exp
// is zero).
template <class T>
VisibleKeys whole_vectors(const ScoreBlock<T>& block, std::int64_t row, std::int64_t lanes,
                          T* zeroed) {
  const VisibleKeys seen = block.visible[row / block.heads];
  T* scores = block.scores + row * block.stride;
  if (seen.begin >= seen.end) {
    std::fill(zeroed, zeroed + block.columns, T{0});
    return {0, 0};
  }
  const std::int64_t begin = seen.begin / lanes * lanes;
  const std::int64_t end = (seen.end + lanes - 1) / lanes * lanes;
  std::fill(scores + begin, scores + seen.begin, -std::numeric_limits<T>::infinity());
  std::fill(scores + seen.end, scores + end, -std::numeric_limits<T>::infinity());
  std::fill(zeroed, zeroed + begin, T{0});
  if (end < block.columns) std::fill(zeroed + end, zeroed + block.columns, T{0});
  return {begin, end};
}

// row = exp(row - max); returns the sum.
template <class T>
T row_exp(T* row, VisibleKeys range, T max) {
  const hn::ScalableTag<T> d;
  const auto shift = hn::Set(d, max);
  auto sum = hn::Zero(d);
  for (std::int64_t i = range.begin; i < range.end; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto p = exp(d, hn::Sub(hn::LoadU(d, row + i), shift));
    hn::StoreU(p, d, row + i);
    sum = hn::Add(sum, p);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

template <class T>
void softmax_block(const ScoreBlock<T>& block, T* max, T* sum, T* out, std::int64_t head_size) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (std::int64_t row = 0; row < block.rows; ++row) {
    T* scores = block.scores + row * block.stride;
    const VisibleKeys range = whole_vectors(block, row, lanes, scores);
    if (range.begin == range.end) continue;
    const T before = max[row];
    max[row] = std::max(before, max_of(scores + range.begin, range.end - range.begin));
    const T added = row_exp(scores, range, max[row]);
    if (max[row] == before) {
      sum[row] += added;
      continue;
    }
    const T factor = std::exp(before - max[row]);  // zero in the first block
    sum[row] = sum[row] * factor + added;
    T* out_row = out + row * head_size;
    for (std::int64_t i = 0; i < head_size; ++i) out_row[i] *= factor;
  }
}

template <class T>
void softmax_block_backward(const ScoreBlock<T>& block, T* dp, const T* lse, const T* delta) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t row = 0; row < block.rows; ++row) {
    T* scores = block.scores + row * block.stride;
    T* gradient = dp + row * block.stride;
    const VisibleKeys range = whole_vectors(block, row, lanes, scores);
    std::fill(gradient, gradient + range.begin, T{0});
    if (range.end < block.columns) std::fill(gradient + range.end, gradient + block.columns, T{0});
    const auto row_lse = hn::Set(d, lse[row]);
    const auto row_delta = hn::Set(d, delta[row]);
    for (std::int64_t i = range.begin; i < range.end; i += lanes) {
      const auto p = exp(d, hn::Sub(hn::LoadU(d, scores + i), row_lse));
      hn::StoreU(p, d, scores + i);
      hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, gradient + i), row_delta)), d, gradient + i);
    }
  }
}

template <class T>
void row_dots(std::int64_t rows, std::int64_t size, const T* a, const T* b, T* result) {
  const hn::ScalableTag<T> d;
  for (std::int64_t row = 0; row < rows; ++row, a += size, b += size) {
    result[row] = static_cast<T>(
        sum(d, size, [&](auto at) HWY_ATTR { return hn::Mul(at.load(a), at.load(b)); }));
  }
}

GLADIUS_SIMD_VERSIONS(softmax_block);
GLADIUS_SIMD_VERSIONS(softmax_block_backward);
GLADIUS_SIMD_VERSIONS(row_dots);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(softmax_block);
GLADIUS_SIMD_EXPORT(softmax_block_backward);
GLADIUS_SIMD_EXPORT(row_dots);

template <class T>
void softmax_block(const ScoreBlock<SumOf<T>>& block, SumOf<T>* max, SumOf<T>* sum, SumOf<T>* out,
                   std::int64_t head_size) {
  GLADIUS_SIMD_DISPATCH(softmax_block, T)(block, max, sum, out, head_size);
}
template <class T>
ScoreGradients<T> softmax_block_backward(const ScoreBlock<SumOf<T>>& block, SumOf<T>* dp,
                                         const SumOf<T>* lse, const SumOf<T>* delta) {
  GLADIUS_SIMD_DISPATCH(softmax_block_backward, T)(block, dp, lse, delta);
  return {block.scores, dp, block.stride, dp, block.stride};
}
template <class T>
void row_dots(std::int64_t rows, std::int64_t size, const T* a, const T* b, T* result) {
  GLADIUS_SIMD_DISPATCH(row_dots, T)(rows, size, a, b, result);
}

GLADIUS_INSTANTIATE(softmax_block);
GLADIUS_INSTANTIATE(softmax_block_backward);
GLADIUS_INSTANTIATE(row_dots);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
