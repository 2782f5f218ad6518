#include "gladius/tensor/kernels/softmax.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/softmax.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// The sum of exp(x - shift) over a row.
template <class T>
HWY_INLINE double sum_exp(const T* x, T shift, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto vshift = hn::Set(d, shift);
  return sum(d, n, [&](auto at) HWY_ATTR { return exp(d, hn::Sub(at.load(x), vshift)); });
}

template <class T>
void softmax(const T* x, T* y, std::int64_t rows, std::int64_t n) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const auto shift = hn::Set(d, max_of(x, n));
    const double total = sum(d, n, [&](auto at) HWY_ATTR {
      const auto e = exp(d, hn::Sub(at.load(x), shift));
      at.store(e, y);
      return e;
    });
    const auto scale = hn::Set(d, static_cast<T>(1 / total));
    for_each_vector(d, n, [&](auto at) HWY_ATTR { at.store(hn::Mul(at.load(y), scale), y); });
  }
}

template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t n) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r, y += n, dy += n, dx += n) {
    const double mean =
        sum(d, n, [&](auto at) HWY_ATTR { return hn::Mul(at.load(y), at.load(dy)); });
    const auto vmean = hn::Set(d, static_cast<T>(mean));
    for_each_vector(d, n, [&](auto at) HWY_ATTR {
      at.store(hn::Mul(at.load(y), hn::Sub(at.load(dy), vmean)), dx);
    });
  }
}

template <class T>
void log_softmax(const T* x, T* y, std::int64_t rows, std::int64_t n) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const T shift = max_of(x, n);
    const auto log_total = hn::Set(d, static_cast<T>(std::log(sum_exp(x, shift, n))));
    const auto vshift = hn::Set(d, shift);
    // Two subtractions: a shift far from 0 would swallow the digits of the logarithm.
    for_each_vector(d, n, [&](auto at) HWY_ATTR {
      at.store(hn::Sub(hn::Sub(at.load(x), vshift), log_total), y);
    });
  }
}

template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t n) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r, y += n, dy += n, dx += n) {
    const auto total =
        hn::Set(d, static_cast<T>(sum(d, n, [&](auto at) HWY_ATTR { return at.load(dy); })));
    for_each_vector(d, n, [&](auto at) HWY_ATTR {
      at.store(hn::NegMulAdd(exp(d, at.load(y)), total, at.load(dy)), dx);
    });
  }
}

template <class T>
void logsumexp(const T* x, T* out, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r, x += n) {
    const T shift = shift_of(max_of(x, n));
    out[r] = static_cast<T>(static_cast<double>(shift) + std::log(sum_exp(x, shift, n)));
  }
}

GLADIUS_SIMD_VERSIONS(softmax);
GLADIUS_SIMD_VERSIONS(softmax_backward);
GLADIUS_SIMD_VERSIONS(log_softmax);
GLADIUS_SIMD_VERSIONS(log_softmax_backward);
GLADIUS_SIMD_VERSIONS(logsumexp);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(softmax);
GLADIUS_SIMD_EXPORT(softmax_backward);
GLADIUS_SIMD_EXPORT(log_softmax);
GLADIUS_SIMD_EXPORT(log_softmax_backward);
GLADIUS_SIMD_EXPORT(logsumexp);

template <class T>
void softmax(const T* x, T* y, std::int64_t rows, std::int64_t n) {
  GLADIUS_SIMD_DISPATCH(softmax, T)(x, y, rows, n);
}
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t n) {
  GLADIUS_SIMD_DISPATCH(softmax_backward, T)(y, dy, dx, rows, n);
}
template <class T>
void log_softmax(const T* x, T* y, std::int64_t rows, std::int64_t n) {
  GLADIUS_SIMD_DISPATCH(log_softmax, T)(x, y, rows, n);
}
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t n) {
  GLADIUS_SIMD_DISPATCH(log_softmax_backward, T)(y, dy, dx, rows, n);
}
template <class T>
void logsumexp(const T* x, T* out, std::int64_t rows, std::int64_t n) {
  GLADIUS_SIMD_DISPATCH(logsumexp, T)(x, out, rows, n);
}

GLADIUS_INSTANTIATE(softmax);
GLADIUS_INSTANTIATE(softmax_backward);
GLADIUS_INSTANTIATE(log_softmax);
GLADIUS_INSTANTIATE(log_softmax_backward);
GLADIUS_INSTANTIATE(logsumexp);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
