// What the SIMD kernels share: loops over whole and partial vectors, reductions, transcendental
// functions, dispatch. Compiled once a target (see Highway's foreach_target.h), hence no #pragma
// once.
#if defined(GLADIUS_TENSOR_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GLADIUS_TENSOR_KERNELS_SIMD_INL_H_
#undef GLADIUS_TENSOR_KERNELS_SIMD_INL_H_
#else
#define GLADIUS_TENSOR_KERNELS_SIMD_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "gladius/tensor/half.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

// The float and double versions of the function template f(...) under names that HWY_EXPORT takes.
// Used in the namespace of the target.
#ifndef GLADIUS_SIMD_VERSIONS
#define GLADIUS_SIMD_VERSIONS(f)             \
  [[maybe_unused]] auto& f##_f32 = f<float>; \
  [[maybe_unused]] auto& f##_f64 = f<double>

// The dispatch tables of f, the version of f for T and this machine, and what instantiates the
// public f for both types. Used once, in gladius::kernels.
#define GLADIUS_SIMD_EXPORT(f) \
  HWY_EXPORT(f##_f32);         \
  HWY_EXPORT(f##_f64)
#define GLADIUS_SIMD_DISPATCH(f, T) \
  choose<T>(HWY_DYNAMIC_DISPATCH(f##_f32), HWY_DYNAMIC_DISPATCH(f##_f64))
#define GLADIUS_INSTANTIATE(f)          \
  template decltype(f<float>) f<float>; \
  template decltype(f<double>) f<double>

// The same for the types that weights are stored in.
#define GLADIUS_SIMD_WEIGHT_VERSIONS(f)          \
  [[maybe_unused]] auto& f##_f32 = f<float>;     \
  [[maybe_unused]] auto& f##_bf16 = f<bfloat16>; \
  [[maybe_unused]] auto& f##_f16 = f<float16>
#define GLADIUS_SIMD_WEIGHT_EXPORT(f) \
  HWY_EXPORT(f##_f32);                \
  HWY_EXPORT(f##_bf16);               \
  HWY_EXPORT(f##_f16)
#define GLADIUS_SIMD_WEIGHT_DISPATCH(f, W)                                        \
  choose_weight<W>(HWY_DYNAMIC_DISPATCH(f##_f32), HWY_DYNAMIC_DISPATCH(f##_bf16), \
                   HWY_DYNAMIC_DISPATCH(f##_f16))
#define GLADIUS_INSTANTIATE_WEIGHTS(f)        \
  template decltype(f<float>) f<float>;       \
  template decltype(f<bfloat16>) f<bfloat16>; \
  template decltype(f<float16>) f<float16>

namespace gladius::kernels {
template <class T, class F32, class F64>
constexpr auto choose(F32* f32, F64* f64) {
  if constexpr (std::is_same_v<T, float>) {
    return f32;
  } else {
    static_assert(std::is_same_v<T, double>);
    return f64;
  }
}
template <class W, class F32, class Bf16, class F16>
constexpr auto choose_weight(F32* f32, Bf16* bf16, F16* f16) {
  if constexpr (std::is_same_v<W, float>) {
    return f32;
  } else if constexpr (std::is_same_v<W, bfloat16>) {
    return bf16;
  } else {
    static_assert(std::is_same_v<W, float16>);
    return f16;
  }
}
}  // namespace gladius::kernels
#endif  // GLADIUS_SIMD_VERSIONS

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// For what is read from memory once: into the second-level cache, as Zen 4 has so few lines under
// way to the first that fetching into that takes twice as long.
HWY_INLINE void fetch_ahead(const void* x) { __builtin_prefetch(x, 0, 2); }

// A position in the operands of a loop at which all lanes of D lie within them.
template <class D>
struct FullLanes {
  using V = hn::Vec<D>;

  template <class T>
  HWY_INLINE hn::Vec<hn::Rebind<T, D>> load(const T* x) const {
    return hn::LoadU(hn::Rebind<T, D>(), x + i);
  }
  template <class T>
  HWY_INLINE void store(hn::Vec<hn::Rebind<T, D>> v, T* y) const {
    hn::StoreU(v, hn::Rebind<T, D>(), y + i);
  }
  HWY_INLINE V active_or(V v, V) const { return v; }

  D d;
  std::int64_t i;
};

// The position at the end, where only `count` lanes do. Goes through memory of its own: not every
// target has masked loads that do not touch what lies beyond.
template <class D>
struct PartialLanes {
  using V = hn::Vec<D>;

  template <class T>
  HWY_INLINE hn::Vec<hn::Rebind<T, D>> load(const T* x) const {
    HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)] = {};
    std::copy_n(x + i, count, lanes);
    return hn::Load(hn::Rebind<T, D>(), lanes);
  }
  template <class T>
  HWY_INLINE void store(hn::Vec<hn::Rebind<T, D>> v, T* y) const {
    HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(v, hn::Rebind<T, D>(), lanes);
    std::copy_n(lanes, count, y + i);
  }
  HWY_INLINE V active_or(V v, V other) const {
    return hn::IfThenElse(hn::FirstN(d, static_cast<std::size_t>(count)), v, other);
  }

  D d;
  std::int64_t i;
  std::int64_t count;
};

// Calls f(position) for the vectors that make up n elements.
template <class D, class F>
HWY_INLINE void for_each_vector(D d, std::int64_t n, F f) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(FullLanes<D>{d, i});
  // The smaller is always n - i; GCC 14 does not see it, and warns of what lies beyond the lanes.
  if (i < n) f(PartialLanes<D>{d, i, std::min(n - i, lanes - 1)});
}

// N sums over n elements at once, terms(position) giving a vector of terms for each. The lanes add
// up over short blocks and the blocks in double, so that the error does not grow with n.
template <std::size_t N, class D, class F>
HWY_INLINE std::array<double, N> sums(D d, std::int64_t n, F terms) {
  constexpr std::int64_t block = 1024;
  constexpr std::int64_t unroll = N == 1 ? 4 : 1;  // hides the latency of the addition
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::array<double, N> totals{};
  for (std::int64_t begin = 0; begin < n; begin += block) {
    const std::int64_t end = std::min(n, begin + block);
    hn::Vec<D> partial[unroll][N];
    for (auto& row : partial) {
      for (auto& sum : row) sum = hn::Zero(d);
    }
    const auto add = [&](std::int64_t u, auto at) HWY_ATTR {
      const std::array<hn::Vec<D>, N> values = terms(at);
      for (std::size_t k = 0; k < N; ++k) {
        partial[u][k] = hn::Add(partial[u][k], at.active_or(values[k], hn::Zero(d)));
      }
    };
    std::int64_t i = begin;
    for (; i + unroll * lanes <= end; i += unroll * lanes) {
      for (std::int64_t u = 0; u < unroll; ++u) add(u, FullLanes<D>{d, i + u * lanes});
    }
    for (; i + lanes <= end; i += lanes) add(0, FullLanes<D>{d, i});
    if (i < end) add(0, PartialLanes<D>{d, i, end - i});
    for (std::size_t k = 0; k < N; ++k) {
      for (std::int64_t u = 1; u < unroll; ++u) {
        partial[0][k] = hn::Add(partial[0][k], partial[u][k]);
      }
      totals[k] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, partial[0][k])));
    }
  }
  return totals;
}

// The sum of term(position).
template <class D, class F>
HWY_INLINE double sum(D d, std::int64_t n, F term) {
  return sums<1>(d, n, [&](auto at) HWY_ATTR { return std::array<hn::Vec<D>, 1>{term(at)}; })[0];
}

// The largest of n elements; -infinity if there are none. NaNs may be ignored.
template <class T>
HWY_INLINE T max_of(const T* x, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto a = lowest, b = lowest;
  std::int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = hn::Max(a, hn::LoadU(d, x + i));
    b = hn::Max(b, hn::LoadU(d, x + i + lanes));
  }
  for_each_vector(d, n - i,
                  [&](auto at) HWY_ATTR { a = hn::Max(a, at.active_or(at.load(x + i), lowest)); });
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
}

// What to subtract before taking exponentials of numbers of this maximum: it, or 0 where all are
// -infinity.
template <class T>
HWY_INLINE T shift_of(T max) {
  return std::isinf(max) ? T{0} : max;
}

// Two thirds of the time of Highway's, as it makes no subnormal results. The polynomial is
// that of Cephes' expf (Moshier 1989).
template <class D, class V>
HWY_INLINE V exp_f32(D d, V x) {
  const hn::RebindToSigned<D> bits;
  // Added to it, a number loses its fraction; the lowest bits are the integer next to it.
  const V rounder = hn::Set(d, 12582912.0f);
  const V rounded = hn::MulAdd(x, hn::Set(d, 1.44269504f), rounder);
  const V n = hn::Sub(rounded, rounder);
  // x - n * log(2), whose upper digits times n are exact.
  const V r =
      hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x));
  V p = hn::Set(d, 1.9875691500e-4f);
  for (const float coefficient :
       {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
    p = hn::MulAdd(p, r, hn::Set(d, coefficient));
  }
  const V fraction = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(bits, rounded));
  const V y = hn::BitCast(d, hn::Add(hn::BitCast(bits, fraction), exponent));
  const V beyond = hn::Add(x, hn::Set(d, std::numeric_limits<float>::infinity()));
  return hn::IfThenElse(hn::Le(x, hn::Set(d, 88.7228317f)),
                        hn::IfThenElseZero(hn::Ge(x, hn::Set(d, -87.3365402f)), y), beyond);
}

// e^x, with its limits and NaN (Highway's is undefined far above overflow and gives 0 for NaN), to
// two units in the last place, or to the smallest normal number.
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return exp_f32(d, x);
  } else {
    const V y = hn::Exp(d, hn::Min(x, hn::Set(d, 720)));
    return hn::IfThenElse(hn::Eq(x, x), y, x);
  }
}

// 1 / (1 + e^-x).
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, hn::TFromD<D>{1});
  return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
