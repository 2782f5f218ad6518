#include "gladius/tensor/kernels/rms_norm.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/rms_norm.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

template <class T>
void rms_norm(const T* x, const T* weight, T* y, T* inv_rms, std::int64_t rows, std::int64_t C,
              double eps) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r, x += C, y += C) {
    const double squares = sum(d, C, [&](auto at) HWY_ATTR {
      const auto v = at.load(x);
      return hn::Mul(v, v);
    });
    inv_rms[r] = static_cast<T>(1 / std::sqrt(squares / static_cast<double>(C) + eps));
    const auto inv = hn::Set(d, inv_rms[r]);
    for_each_vector(d, C, [&](auto at) HWY_ATTR {
      at.store(hn::Mul(hn::Mul(at.load(x), inv), at.load(weight)), y);
    });
  }
}

// dweight of one row.
template <class T>
HWY_INLINE void add_dweight(const T* x, T inv_rms, const T* dy, T* dweight, std::int64_t C) {
  const hn::ScalableTag<T> d;
  const auto inv = hn::Set(d, inv_rms);
  for_each_vector(d, C, [&](auto at) HWY_ATTR {
    at.store(hn::MulAdd(hn::Mul(at.load(x), inv), at.load(dy), at.load(dweight)), dweight);
  });
}

// dx of one row.
template <class T>
HWY_INLINE void write_dx(const T* x, const T* weight, T inv_rms, const T* dy, T* dx,
                         std::int64_t C) {
  const hn::ScalableTag<T> d;
  const double dot = sum(d, C, [&](auto at) HWY_ATTR {
    return hn::Mul(hn::Mul(at.load(weight), at.load(dy)), at.load(x));
  });
  const double inv = static_cast<double>(inv_rms);
  const auto along_x = hn::Set(d, static_cast<T>(inv * inv * inv * dot / static_cast<double>(C)));
  const auto vinv = hn::Set(d, inv_rms);
  for_each_vector(d, C, [&](auto at) HWY_ATTR {
    const auto direct = hn::Mul(vinv, hn::Mul(at.load(weight), at.load(dy)));
    at.store(hn::NegMulAdd(along_x, at.load(x), direct), dx);
  });
}

template <class T>
void rms_norm_backward(const T* x, const T* weight, const T* inv_rms, const T* dy, T* dx,
                       T* dweight, std::int64_t rows, std::int64_t C) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t at = r * C;
    if (dweight) add_dweight(x + at, inv_rms[r], dy + at, dweight, C);
    if (dx) write_dx(x + at, weight, inv_rms[r], dy + at, dx + at, C);
  }
}

GLADIUS_SIMD_VERSIONS(rms_norm);
GLADIUS_SIMD_VERSIONS(rms_norm_backward);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(rms_norm);
GLADIUS_SIMD_EXPORT(rms_norm_backward);

template <class T>
void rms_norm(const T* x, const T* weight, T* y, T* inv_rms, std::int64_t rows, std::int64_t C,
              double eps) {
  GLADIUS_SIMD_DISPATCH(rms_norm, T)(x, weight, y, inv_rms, rows, C, eps);
}
template <class T>
void rms_norm_backward(const T* x, const T* weight, const T* inv_rms, const T* dy, T* dx,
                       T* dweight, std::int64_t rows, std::int64_t C) {
  GLADIUS_SIMD_DISPATCH(rms_norm_backward, T)(x, weight, inv_rms, dy, dx, dweight, rows, C);
}

GLADIUS_INSTANTIATE(rms_norm);
GLADIUS_INSTANTIATE(rms_norm_backward);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
