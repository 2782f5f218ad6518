// Numbers as integers of 16 bits, and their products, for the kernels that multiply blocks. Private
// to them; compiled once a target (see Highway's foreach_target.h), hence no #pragma once.
#if defined(GLADIUS_TENSOR_KERNELS_BLOCK_INTEGERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GLADIUS_TENSOR_KERNELS_BLOCK_INTEGERS_INL_H_
#undef GLADIUS_TENSOR_KERNELS_BLOCK_INTEGERS_INL_H_
#else
#define GLADIUS_TENSOR_KERNELS_BLOCK_INTEGERS_INL_H_
#endif

#include <cstdint>

#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using I16 = hn::CappedTag<std::int16_t, 16>;
using I32 = hn::RepartitionToWide<I16>;
using F32 = hn::RebindToFloat<I32>;

const I16 i16;
const I32 i32;
const F32 f32;

// Groups of smaller numbers count as 0: the inverse of their scale would be no float.
constexpr float kLeast = 1e-30f;

// q of n numbers x ~ scale q, the largest of them `highest` (at most 32767), and that scale. A NaN
// for a scale if a number is not finite.
HWY_INLINE float integers_of(const float* x, std::int64_t n, float highest, std::int16_t* q) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f32));
  auto most = hn::Zero(f32), none = most;
  for (std::int64_t i = 0; i < n; i += lanes) {
    const auto v = hn::LoadU(f32, x + i);
    most = hn::Max(most, hn::Abs(v));
    none = hn::Add(none, hn::Sub(v, v));  // 0, or NaN
  }
  const float largest = hn::GetLane(hn::MaxOfLanes(f32, most));
  const bool counts = largest > kLeast;
  const auto inverse = hn::Set(f32, counts ? highest / largest : 0.0f);
  const hn::Rebind<std::int16_t, F32> half;
  for (std::int64_t i = 0; i < n; i += lanes) {
    const auto whole = hn::NearestInt(hn::Mul(hn::LoadU(f32, x + i), inverse));
    hn::StoreU(hn::DemoteTo(half, whole), half, q + i);
  }
  return (counts ? largest / highest : 0.0f) + hn::GetLane(hn::SumOfLanes(f32, none));
}

// even, with the products of w and x that do not go to odd. Highway 1.0.3 does not know VNNI's
// instruction, which is one in the place of two. As assembly: compilers write AVX-VNNI's form of it
// here, as Highway's target says that there is one, but Ice Lake and Zen 4 have AVX-512's alone.
HWY_INLINE hn::Vec<I32> add_products(hn::Vec<I16> w, hn::Vec<I16> x, hn::Vec<I32> even,
                                     [[maybe_unused]] hn::Vec<I32>& odd) {
#if HWY_TARGET == HWY_AVX3_DL
  asm("%{evex%} vpdpwssd %2, %1, %0" : "+v"(even.raw) : "v"(w.raw), "v"(x.raw));
  return even;
#else
  return hn::ReorderWidenMulAccumulate(i32, w, x, even, odd);
#endif
}

// Of n integers, a multiple of 16. Not of the numbers that they stand for: those would not cancel
// with the products.
HWY_INLINE std::int32_t sum_of(const std::int16_t* q, std::int64_t n) {
  const auto one = hn::Set(i16, 1);
  auto even = hn::Zero(i32), odd = even;
  for (std::int64_t i = 0; i < n; i += static_cast<std::int64_t>(hn::Lanes(i16))) {
    even = add_products(hn::LoadU(i16, q + i), one, even, odd);
  }
  return hn::GetLane(hn::SumOfLanes(i32, hn::RearrangeToOddPlusEven(even, odd)));
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
