// The softmax of attention where its results become pairs of bfloat16 numbers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/tensor/kernels/attention_softmax.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/attention_softmax_pairs.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/bf16_pairs-inl.h"
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();

using Floats = hn::ScalableTag<float>;

// Columns that one step of the loops takes: two vectors, which make one of pairs.
std::int64_t step() { return 2 * static_cast<std::int64_t>(hn::Lanes(Floats())); }

// The whole steps that hold the columns seen.
VisibleKeys whole_steps(VisibleKeys seen) {
  if (seen.begin >= seen.end) return {0, 0};
  return {seen.begin / step() * step(), ceil_div(seen.end, step()) * step()};
}

VisibleKeys hull(VisibleKeys a, VisibleKeys b) {
  if (a.begin >= a.end) return b;
  if (b.begin >= b.end) return a;
  return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

// What is not seen of a range becomes -infinity, of which exp is zero.
void hide(VisibleKeys seen, VisibleKeys range, float* scores) {
  if (seen.begin >= seen.end) seen = {range.end, range.end};
  std::fill(scores + range.begin, scores + seen.begin, kHidden);
  std::fill(scores + seen.end, scores + range.end, kHidden);
}

// The elements of a row of `columns` that lie outside of a range become zero.
void zero_outside(VisibleKeys range, std::int64_t columns, float* row) {
  std::fill(row, row + range.begin, 0.0f);
  if (range.end < columns) std::fill(row + range.end, row + columns, 0.0f);
}

// The same of a row of pairs; the range is whole ones.
void zero_pairs_outside(VisibleKeys range, std::int64_t columns, float* row) {
  zero_outside({range.begin / 2, range.end / 2}, ceil_div(columns, 2), row);
}

constexpr float kLog2E = 1.44269504f;

// e^(x - shift) for a vector `shift` of exp_shift(), no less than about the x: to two units in
// the last place but for the rounding of exp_shift(); zero below the smallest normal number.
// 2^(n + f) with a polynomial of f; shorter than the exp of simd-inl.h, whose time would be felt
// beside products that take half of float's. NaN stays NaN where its lowest nine bits are zero, as
// those of products of bfloat16 numbers are.
template <class D, class V>
HWY_INLINE V shifted_exp(D d, V x, V shift) {
  const hn::RebindToSigned<D> bits;
  const V power = hn::MulSub(x, hn::Set(d, kLog2E), shift);
  // Added to it, a number loses its fraction; the lowest bits are the integer next to it.
  const V rounder = hn::Set(d, 12582912.0f);
  const V rounded = hn::Add(power, rounder);
  const V f = hn::Sub(power, hn::Sub(rounded, rounder));
  V p = hn::Set(d, 1.3264724e-3f);
  for (const float coefficient : {9.671513e-3f, 5.5507336e-2f, 2.4022242e-1f, 6.93147e-1f, 1.0f}) {
    p = hn::MulAdd(p, f, hn::Set(d, coefficient));
  }
  const V y =
      hn::BitCast(d, hn::Add(hn::BitCast(bits, p), hn::ShiftLeft<23>(hn::BitCast(bits, rounded))));
  return hn::IfThenZeroElse(hn::Lt(power, hn::Set(d, -126.0f)), y);
}
template <class D>
HWY_INLINE hn::Vec<D> exp_shift(D d, float shift) {
  return hn::Set(d, shift * kLog2E);
}

// Scores become pairs of exp(score - max) at the beginning of the row; returns the sum.
template <class E>
float row_exp(float* row, VisibleKeys range, float max) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto shift = exp_shift(d, max);
  E* pairs = reinterpret_cast<E*>(row);
  hn::Vec<Floats> sums[2] = {hn::Zero(d), hn::Zero(d)};
  for (std::int64_t i = range.begin; i < range.end; i += 2 * lanes) {
    hn::Vec<Floats> p[2];
    for (int half = 0; half < 2; ++half) {
      p[half] = shifted_exp(d, hn::LoadU(d, row + i + half * lanes), shift);
      sums[half] = hn::Add(sums[half], p[half]);
    }
    store_pairs_along_row(d, p, pairs + i / 2);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sums[0], sums[1])));
}

template <class E>
void softmax_block_of(const ScoreBlock<float>& block, float* max, float* sum, float* out,
                      std::int64_t head_size) {
  for (std::int64_t row = 0; row < block.rows; ++row) {
    float* scores = block.scores + row * block.stride;
    const VisibleKeys seen = block.visible[row / block.heads];
    const VisibleKeys range = whole_steps(seen);
    if (range.begin == range.end) {
      zero_pairs_outside(range, block.columns, scores);
      continue;
    }
    hide(seen, range, scores);
    const float before = max[row];
    max[row] = std::max(before, max_of(scores + range.begin, range.end - range.begin));
    const float added = row_exp<E>(scores, range, max[row]);
    zero_pairs_outside(range, block.columns, scores);
    if (max[row] == before) {
      sum[row] += added;
      continue;
    }
    const float factor = std::exp(before - max[row]);  // zero in the first block
    sum[row] = sum[row] * factor + added;
    float* out_row = out + row * head_size;
    for (std::int64_t i = 0; i < head_size; ++i) out_row[i] *= factor;
  }
}

void softmax_block_pairs(const ScoreBlock<float>& block, float* max, float* sum, float* out,
                         std::int64_t head_size) {
  has_bf16_products() ? softmax_block_of<NativeBf16Pair>(block, max, sum, out, head_size)
                      : softmax_block_of<Bf16Pair>(block, max, sum, out, head_size);
}

// A row of scores and of gradients, with what they are shifted by.
struct GradientRow {
  float *scores, *dp;
  float lse, delta;
};

// p and ds of two neighbouring rows as pairs over each other where the rows' scores were, and ds as
// pairs along each row where its dp was.
template <class E>
void pair_gradients(const GradientRow& upper, const GradientRow& lower, VisibleKeys range) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const GradientRow* rows[2] = {&upper, &lower};
  const hn::Vec<Floats> lse[2] = {exp_shift(d, upper.lse), exp_shift(d, lower.lse)};
  const hn::Vec<Floats> delta[2] = {hn::Set(d, upper.delta), hn::Set(d, lower.delta)};
  for (std::int64_t i = range.begin; i < range.end; i += 2 * lanes) {
    hn::Vec<Floats> p[2][2], ds[2][2];
    for (int r = 0; r < 2; ++r) {
      for (int half = 0; half < 2; ++half) {
        const std::int64_t at = i + half * lanes;
        const auto score = hn::LoadU(d, rows[r]->scores + at);
        p[r][half] = shifted_exp(d, score, lse[r]);
        ds[r][half] = hn::Mul(p[r][half], hn::Sub(hn::LoadU(d, rows[r]->dp + at), delta[r]));
      }
      store_pairs_along_row(d, ds[r], reinterpret_cast<E*>(rows[r]->dp) + i / 2);
    }
    store_pairs_along_columns(d, p[0], p[1], reinterpret_cast<E*>(upper.scores) + i);
    store_pairs_along_columns(d, ds[0], ds[1], reinterpret_cast<E*>(lower.scores) + i);
  }
}

template <class E>
void softmax_block_backward_of(const ScoreBlock<float>& block, float* dp, const float* lse,
                               const float* delta) {
  for (std::int64_t row = 0; row < block.rows; row += 2) {
    const auto row_at = [&](std::int64_t r) -> GradientRow {
      const std::int64_t at = r * block.stride;
      if (r == block.rows) return {block.scores + at, dp + at, 0, 0};
      // A row that sees nothing has an lse of -infinity.
      return {block.scores + at, dp + at, lse[r] == kHidden ? 0.0f : lse[r], delta[r]};
    };
    const auto seen_by = [&](std::int64_t r) {
      return r == block.rows ? VisibleKeys{0, 0} : block.visible[r / block.heads];
    };
    const GradientRow upper = row_at(row), lower = row_at(row + 1);
    const VisibleKeys range = whole_steps(hull(seen_by(row), seen_by(row + 1)));
    hide(seen_by(row), range, upper.scores);
    hide(seen_by(row + 1), range, lower.scores);
    if (row + 1 == block.rows) std::fill(lower.dp + range.begin, lower.dp + range.end, 0.0f);
    pair_gradients<E>(upper, lower, range);
    for (const GradientRow& x : {upper, lower}) {
      zero_outside(range, block.columns, x.scores);
      zero_pairs_outside(range, block.columns, x.dp);
    }
  }
}

void softmax_block_backward_pairs(const ScoreBlock<float>& block, float* dp, const float* lse,
                                  const float* delta) {
  has_bf16_products() ? softmax_block_backward_of<NativeBf16Pair>(block, dp, lse, delta)
                      : softmax_block_backward_of<Bf16Pair>(block, dp, lse, delta);
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

HWY_EXPORT(softmax_block_pairs);
HWY_EXPORT(softmax_block_backward_pairs);

template <>
void softmax_block<Bf16Pair>(const ScoreBlock<float>& block, float* max, float* sum, float* out,
                             std::int64_t head_size) {
  HWY_DYNAMIC_DISPATCH(softmax_block_pairs)(block, max, sum, out, head_size);
}

template <>
ScoreGradients<Bf16Pair> softmax_block_backward<Bf16Pair>(const ScoreBlock<float>& block, float* dp,
                                                          const float* lse, const float* delta) {
  HWY_DYNAMIC_DISPATCH(softmax_block_backward_pairs)(block, dp, lse, delta);
  const auto* scores = reinterpret_cast<const Bf16Pair*>(block.scores);
  return {scores, scores + block.stride, 2 * block.stride, reinterpret_cast<const Bf16Pair*>(dp),
          block.stride};
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
