#include "gladius/tensor/kernels/unary.h"

#include <numbers>

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/unary.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

// What has a vector form below, by the name of its public function.
#undef GLADIUS_FOR_EACH_UNARY
#define GLADIUS_FOR_EACH_UNARY(X) \
  X(exp) X(log) X(tanh) X(sigmoid) X(silu) X(sqrt) X(rsqrt) X(gelu) X(gelu_slope)

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// Highway's logarithm covers the finite positive numbers.
template <class D, class V>
HWY_INLINE V log(D d, V x) {
  using Limits = std::numeric_limits<hn::TFromD<D>>;
  const V zero = hn::Zero(d);
  const V infinity = hn::Set(d, Limits::infinity());
  const V outside =
      hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), hn::Set(d, Limits::quiet_NaN()));
  const V y = hn::IfThenElse(hn::Gt(x, zero), hn::Log(d, x), outside);
  return hn::IfThenElse(hn::Eq(x, infinity), x, y);
}

// Highway's hyperbolic tangent of NaN is a number.
template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  return hn::IfThenElse(hn::Eq(x, x), hn::Tanh(d, x), x);
}

template <class D, class V>
HWY_INLINE V silu(D d, V x) {
  return hn::Mul(x, sigmoid(d, x));
}

template <class D, class V>
HWY_INLINE V sqrt(D, V x) {
  return hn::Sqrt(x);
}

template <class D, class V>
HWY_INLINE V rsqrt(D d, V x) {
  return hn::Div(hn::Set(d, hn::TFromD<D>{1}), hn::Sqrt(x));
}

template <class D, class V, std::size_t N>
HWY_INLINE V polynomial(D d, V x, const float (&coefficients)[N]) {
  V y = hn::Set(d, coefficients[0]);
  for (std::size_t i = 1; i < N; ++i) y = hn::MulAdd(y, x, hn::Set(d, coefficients[i]));
  return y;
}

// e^(-t^2 / 2) for 0 <= t <= 16. An error of t^2 is one of the result, so that its rounding is put
// back; the root of the result is computed, as it is normal where the result no longer is.
template <class D, class V>
HWY_INLINE V bell_f32(D d, V t) {
  const hn::RebindToUnsigned<D> bits;
  const V high = hn::BitCast(d, hn::And(hn::BitCast(bits, t), hn::Set(bits, 0xfffff000u)));
  const V high_square = hn::Mul(high, high);  // exact: 12 bits each
  const V rest = hn::Mul(hn::Sub(t, high), hn::Add(t, high));
  const V square = hn::Add(high_square, rest);
  const V lost = hn::Add(hn::Sub(high_square, square), rest);
  const V root = exp(d, hn::Mul(hn::Set(d, -0.25f), square));
  return hn::Mul(root, hn::NegMulAdd(hn::Mul(hn::Set(d, 0.5f), lost), root, root));
}

// Phi(-t) e^(t^2 / 2) for t >= 0: half the scaled erfc(t / sqrt(2)), by the form of Cody (Rational
// Chebyshev approximations for the error function, Math. Comp. 23, 1969) with one quotient for all
// t of [0, 14.2], where e^(-t^2 / 2) ends, instead of three for parts. Fitted by Lawson's weighted
// least squares to a relative error of 6e-9; positive coefficients, so that nothing cancels.
template <class D, class V>
HWY_INLINE V scaled_tail_f32(D d, V t) {
  const V above =
      polynomial(d, t, {0.00409330701f, 0.0404783955f, 0.182776011f, 0.437675423f, 0.500000003f});
  const V below =
      polynomial(d, t, {0.0102602741f, 0.101470951f, 0.468258495f, 1.20059641f, 1.67323581f, 1.0f});
  return hn::Div(above, below);
}

// |x| as far as the functions above go: Phi(-16) is 0 in float.
template <class D, class V>
HWY_INLINE V magnitude_f32(D d, V x) {
  return hn::Min(hn::Abs(x), hn::Set(d, 16.0f));
}

// f(x) from f(-|x|), where f(x) + f(-x) = 1.
template <class D, class V>
HWY_INLINE V both_sides(D d, V x, V lower) {
  const V zero = hn::Zero(d);
  return hn::IfThenElse(hn::Lt(x, zero), lower, hn::Sub(hn::Set(d, 1.0f), lower));
}

// f of each lane.
template <class D, class V, class F>
HWY_INLINE V by_lane(D d, V x, F f) {
  HWY_ALIGN hn::TFromD<D> lanes[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)];
  hn::Store(x, d, lanes);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = f(lanes[i]);
  return hn::Load(d, lanes);
}

template <class D, class V>
HWY_INLINE V gelu(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const V t = magnitude_f32(d, x);
    return hn::Mul(x, both_sides(d, x, hn::Mul(bell_f32(d, t), scaled_tail_f32(d, t))));
  } else {
    // The complement keeps the digits far below 0.
    return by_lane(d, x, [](double v) { return v / 2 * std::erfc(-v / std::numbers::sqrt2); });
  }
}

// Phi(x) + x phi(x), with phi(x) = e^(-x^2 / 2) / sqrt(2 pi).
template <class D, class V>
HWY_INLINE V gelu_slope(D d, V x) {
  constexpr double peak = std::numbers::inv_sqrtpi / std::numbers::sqrt2;  // phi(0)
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const V t = magnitude_f32(d, x);
    const V lower = hn::Mul(bell_f32(d, t), hn::NegMulAdd(t, hn::Set(d, static_cast<float>(peak)),
                                                          scaled_tail_f32(d, t)));
    const V difference = hn::Sub(x, x);  // NaN where x is infinite or NaN
    return hn::IfThenElse(hn::Eq(difference, difference), both_sides(d, x, lower), difference);
  } else {
    return by_lane(d, x, [=](double v) {
      return std::erfc(-v / std::numbers::sqrt2) / 2 + v * (peak * std::exp(-v * v / 2));
    });
  }
}

#undef GLADIUS_ELEMENTS
#define GLADIUS_ELEMENTS(f)                                                          \
  template <class T>                                                                 \
  void f##_elements(const T* x, T* y, std::int64_t n) {                              \
    const hn::ScalableTag<T> d;                                                      \
    for_each_vector(d, n, [&](auto at) HWY_ATTR { at.store(f(d, at.load(x)), y); }); \
  }                                                                                  \
  GLADIUS_SIMD_VERSIONS(f##_elements);
GLADIUS_FOR_EACH_UNARY(GLADIUS_ELEMENTS)

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

#define GLADIUS_PUBLISH(f)                           \
  GLADIUS_SIMD_EXPORT(f##_elements);                 \
  template <class T>                                 \
  void f(const T* x, T* y, std::int64_t n) {         \
    GLADIUS_SIMD_DISPATCH(f##_elements, T)(x, y, n); \
  }                                                  \
  GLADIUS_INSTANTIATE(f);
GLADIUS_FOR_EACH_UNARY(GLADIUS_PUBLISH)

}  // namespace gladius::kernels
#endif  // HWY_ONCE
