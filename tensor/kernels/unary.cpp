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
#define GLADIUS_FOR_EACH_UNARY(X) X(exp) X(log) X(tanh) X(sigmoid) X(silu) X(sqrt) X(rsqrt)

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

template <class T>
void gelu(const T* x, T* y, std::int64_t n) {
  // The complement keeps the digits far below 0, where a float argument would lose them.
  for (std::int64_t i = 0; i < n; ++i) {
    const auto v = static_cast<double>(x[i]);
    y[i] = static_cast<T>(v / 2 * std::erfc(-v / std::numbers::sqrt2));
  }
}
GLADIUS_INSTANTIATE(gelu);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
