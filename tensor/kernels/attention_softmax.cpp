#include "gladius/tensor/kernels/attention_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/attention_softmax.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h: both are compiled once a target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// hn::Exp gives zero for NaN, which would hide a NaN among the scores.
template <class D, class V>
HWY_INLINE V exp_keeping_nan(D d, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

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

template <class T>
T row_max(const T* row, VisibleKeys range) {
  const hn::ScalableTag<T> d;
  auto max = hn::Set(d, -std::numeric_limits<T>::infinity());
  for (std::int64_t i = range.begin; i < range.end; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    max = hn::Max(max, hn::LoadU(d, row + i));
  }
  return hn::GetLane(hn::MaxOfLanes(d, max));
}

// row = exp(row - max); returns the sum.
template <class T>
T row_exp(T* row, VisibleKeys range, T max) {
  const hn::ScalableTag<T> d;
  const auto shift = hn::Set(d, max);
  auto sum = hn::Zero(d);
  for (std::int64_t i = range.begin; i < range.end; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto p = exp_keeping_nan(d, hn::Sub(hn::LoadU(d, row + i), shift));
    hn::StoreU(p, d, row + i);
    sum = hn::Add(sum, p);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

template <class T>
void softmax_rows(const ScoreBlock<T>& block, T* max, T* sum, T* out, std::int64_t head_size) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (std::int64_t row = 0; row < block.rows; ++row) {
    T* scores = block.scores + row * block.stride;
    const VisibleKeys range = whole_vectors(block, row, lanes, scores);
    if (range.begin == range.end) continue;
    const T before = max[row];
    max[row] = std::max(before, row_max(scores, range));
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
void softmax_rows_backward(const ScoreBlock<T>& block, T* dp, const T* lse, const T* delta) {
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
      const auto p = exp_keeping_nan(d, hn::Sub(hn::LoadU(d, scores + i), row_lse));
      hn::StoreU(p, d, scores + i);
      hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, gradient + i), row_delta)), d, gradient + i);
    }
  }
}

template <class T>
void dot_rows(std::int64_t rows, std::int64_t size, const T* a, const T* b, T* result) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t row = 0; row < rows; ++row, a += size, b += size) {
    auto sums = hn::Zero(d);
    std::int64_t i = 0;
    for (; i + lanes <= size; i += lanes) {
      sums = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sums);
    }
    T sum = hn::GetLane(hn::SumOfLanes(d, sums));
    for (; i < size; ++i) sum += a[i] * b[i];
    result[row] = sum;
  }
}

// HWY_EXPORT takes plain functions.
void softmax_f32(const ScoreBlock<float>& block, float* max, float* sum, float* out,
                 std::int64_t head_size) {
  softmax_rows(block, max, sum, out, head_size);
}
void softmax_f64(const ScoreBlock<double>& block, double* max, double* sum, double* out,
                 std::int64_t head_size) {
  softmax_rows(block, max, sum, out, head_size);
}
void softmax_backward_f32(const ScoreBlock<float>& block, float* dp, const float* lse,
                          const float* delta) {
  softmax_rows_backward(block, dp, lse, delta);
}
void softmax_backward_f64(const ScoreBlock<double>& block, double* dp, const double* lse,
                          const double* delta) {
  softmax_rows_backward(block, dp, lse, delta);
}
void row_dots_f32(std::int64_t rows, std::int64_t size, const float* a, const float* b,
                  float* result) {
  dot_rows(rows, size, a, b, result);
}
void row_dots_f64(std::int64_t rows, std::int64_t size, const double* a, const double* b,
                  double* result) {
  dot_rows(rows, size, a, b, result);
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

HWY_EXPORT(softmax_f32);
HWY_EXPORT(softmax_f64);
HWY_EXPORT(softmax_backward_f32);
HWY_EXPORT(softmax_backward_f64);
HWY_EXPORT(row_dots_f32);
HWY_EXPORT(row_dots_f64);

}  // namespace

template <>
void softmax_block(const ScoreBlock<float>& block, float* max, float* sum, float* out,
                   std::int64_t head_size) {
  HWY_DYNAMIC_DISPATCH(softmax_f32)(block, max, sum, out, head_size);
}
template <>
void softmax_block(const ScoreBlock<double>& block, double* max, double* sum, double* out,
                   std::int64_t head_size) {
  HWY_DYNAMIC_DISPATCH(softmax_f64)(block, max, sum, out, head_size);
}
template <>
void softmax_block_backward(const ScoreBlock<float>& block, float* dp, const float* lse,
                            const float* delta) {
  HWY_DYNAMIC_DISPATCH(softmax_backward_f32)(block, dp, lse, delta);
}
template <>
void softmax_block_backward(const ScoreBlock<double>& block, double* dp, const double* lse,
                            const double* delta) {
  HWY_DYNAMIC_DISPATCH(softmax_backward_f64)(block, dp, lse, delta);
}
template <>
void row_dots(std::int64_t rows, std::int64_t size, const float* a, const float* b, float* result) {
  HWY_DYNAMIC_DISPATCH(row_dots_f32)(rows, size, a, b, result);
}
template <>
void row_dots(std::int64_t rows, std::int64_t size, const double* a, const double* b,
              double* result) {
  HWY_DYNAMIC_DISPATCH(row_dots_f64)(rows, size, a, b, result);
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
