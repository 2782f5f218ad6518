#include "gladius/tensor/kernels/convert.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/convert.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

const hn::ScalableTag<float> f32;
const hn::Rebind<std::int32_t, decltype(f32)> i32;
const hn::Rebind<std::uint32_t, decltype(f32)> u32;
const hn::Rebind<std::uint16_t, decltype(f32)> u16;
using I32 = hn::Vec<decltype(i32)>;
using U32 = hn::Vec<decltype(u32)>;

HWY_INLINE I32 constant(std::int32_t value) { return hn::Set(i32, value); }

void from_bfloat16(const bfloat16* x, float* y, std::int64_t n) {
  const auto* bits = reinterpret_cast<const std::uint16_t*>(x);
  for_each_vector(f32, n, [&](auto at) HWY_ATTR {
    at.store(hn::BitCast(f32, hn::ShiftLeft<16>(hn::PromoteTo(u32, at.load(bits)))), y);
  });
}

void to_bfloat16(const float* x, bfloat16* y, std::int64_t n) {
  auto* bits = reinterpret_cast<std::uint16_t*>(y);
  for_each_vector(f32, n, [&](auto at) HWY_ATTR {
    const auto v = at.load(x);
    const U32 word = hn::BitCast(u32, v);
    const U32 odd = hn::And(hn::ShiftRight<16>(word), hn::Set(u32, 1u));
    const U32 rounded = hn::ShiftRight<16>(hn::Add(word, hn::Add(odd, hn::Set(u32, 0x7fffu))));
    const I32 result = hn::IfThenElse(hn::RebindMask(i32, hn::Eq(v, v)), hn::BitCast(i32, rounded),
                                      constant(0xffff));
    at.store(hn::DemoteTo(u16, result), bits);
  });
}

void from_float16(const float16* x, float* y, std::int64_t n) {
  const auto* bits = reinterpret_cast<const std::uint16_t*>(x);
  for_each_vector(f32, n, [&](auto at) HWY_ATTR {
    const I32 half = hn::BitCast(i32, hn::PromoteTo(u32, at.load(bits)));
    const I32 sign = hn::ShiftLeft<16>(hn::And(half, constant(0x8000)));
    const I32 magnitude = hn::And(half, constant(0x7fff));
    const I32 shifted = hn::ShiftLeft<13>(magnitude);
    const I32 normal = hn::Add(shifted, constant(112 << 23));
    const I32 subnormal =
        hn::BitCast(i32, hn::Mul(hn::ConvertTo(f32, magnitude), hn::Set(f32, 0x1p-24f)));
    const I32 infinite_or_nan = hn::Or(shifted, constant(0x7f800000));
    I32 result = hn::IfThenElse(hn::Gt(constant(0x400), magnitude), subnormal, normal);
    result = hn::IfThenElse(hn::Gt(magnitude, constant(0x7bff)), infinite_or_nan, result);
    at.store(hn::BitCast(f32, hn::Or(sign, result)), y);
  });
}

void to_float16(const float* x, float16* y, std::int64_t n) {
  auto* bits = reinterpret_cast<std::uint16_t*>(y);
  for_each_vector(f32, n, [&](auto at) HWY_ATTR {
    const U32 word = hn::BitCast(u32, at.load(x));
    const I32 sign = hn::BitCast(i32, hn::ShiftRight<16>(hn::And(word, hn::Set(u32, 0x80000000u))));
    const I32 magnitude = hn::BitCast(i32, hn::And(word, hn::Set(u32, 0x7fffffffu)));
    const I32 odd = hn::And(hn::ShiftRight<13>(magnitude), constant(1));
    const I32 normal =
        hn::ShiftRight<13>(hn::Add(magnitude, hn::Add(odd, constant(0xfff - 0x38000000))));
    // The float adder rounds the subnormals.
    const I32 subnormal =
        hn::Sub(hn::BitCast(i32, hn::Add(hn::BitCast(f32, magnitude), hn::Set(f32, 0.5f))),
                constant(0x3f000000));
    I32 result = hn::IfThenElse(hn::Gt(constant(0x38800000), magnitude), subnormal, normal);
    result = hn::IfThenElse(hn::Gt(magnitude, constant(0x477fefff)), constant(0x7c00), result);
    const I32 nan =
        hn::Or(hn::And(hn::ShiftRight<13>(magnitude), constant(0x3ff)), constant(0x7e00));
    result = hn::IfThenElse(hn::Gt(magnitude, constant(0x7f800000)), nan, result);
    at.store(hn::DemoteTo(u16, hn::Or(sign, result)), bits);
  });
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

HWY_EXPORT(from_bfloat16);
HWY_EXPORT(from_float16);
HWY_EXPORT(to_bfloat16);
HWY_EXPORT(to_float16);

void convert(const bfloat16* x, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(from_bfloat16)(x, y, n);
}
void convert(const float16* x, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(from_float16)(x, y, n);
}
void convert(const float* x, bfloat16* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(to_bfloat16)(x, y, n);
}
void convert(const float* x, float16* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(to_float16)(x, y, n);
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
