#include "gladius/tensor/kernels/layer_norm.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/layer_norm.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// x moved to mean 0 and scaled to variance 1.
template <class D>
struct Normalised {
  using T = hn::TFromD<D>;

  Normalised(D d, const T* x, T mean, T inv_std)
      : x(x), mean(hn::Set(d, mean)), inv_std(hn::Set(d, inv_std)) {}
  template <class At>
  HWY_INLINE hn::Vec<D> load(At at) const {
    return hn::Mul(hn::Sub(at.load(x), mean), inv_std);
  }

  const T* x;
  hn::Vec<D> mean, inv_std;
};

template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, T* y, T* mean, T* inv_std,
                std::int64_t rows, std::int64_t C, double eps) {
  const hn::ScalableTag<T> d;
  const auto n = static_cast<double>(C);
  for (std::int64_t r = 0; r < rows; ++r, x += C, y += C) {
    mean[r] = static_cast<T>(sum(d, C, [&](auto at) HWY_ATTR { return at.load(x); }) / n);
    const auto centre = hn::Set(d, mean[r]);
    const double squares = sum(d, C, [&](auto at) HWY_ATTR {
      const auto v = hn::Sub(at.load(x), centre);
      return hn::Mul(v, v);
    });
    inv_std[r] = static_cast<T>(1 / std::sqrt(squares / n + eps));
    const Normalised normalised(d, x, mean[r], inv_std[r]);
    for_each_vector(d, C, [&](auto at) HWY_ATTR {
      at.store(hn::MulAdd(normalised.load(at), at.load(weight), at.load(bias)), y);
    });
  }
}

// dx of one row.
template <class D, class T>
HWY_INLINE void write_dx(D d, const Normalised<D>& normalised, const T* weight, const T* dy, T* dx,
                         std::int64_t C) {
  const auto [direct, along] = sums<2>(d, C, [&](auto at) HWY_ATTR {
    const auto v = hn::Mul(at.load(weight), at.load(dy));
    return std::array{v, hn::Mul(v, normalised.load(at))};
  });
  const auto n = static_cast<double>(C);
  const auto mean_direct = hn::Set(d, static_cast<T>(direct / n));
  const auto mean_along = hn::Set(d, static_cast<T>(along / n));
  for_each_vector(d, C, [&](auto at) HWY_ATTR {
    const auto centred = hn::Sub(hn::Mul(at.load(weight), at.load(dy)), mean_direct);
    const auto v = hn::NegMulAdd(normalised.load(at), mean_along, centred);
    at.store(hn::Mul(normalised.inv_std, v), dx);
  });
}

template <class T>
void layer_norm_backward(const T* x, const T* weight, const T* mean, const T* inv_std, const T* dy,
                         T* dx, T* dweight, T* dbias, std::int64_t rows, std::int64_t C) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r, x += C, dy += C) {
    const Normalised normalised(d, x, mean[r], inv_std[r]);
    if (dweight) {
      for_each_vector(d, C, [&](auto at) HWY_ATTR {
        at.store(hn::MulAdd(normalised.load(at), at.load(dy), at.load(dweight)), dweight);
      });
    }
    if (dbias) {
      for_each_vector(
          d, C, [&](auto at) HWY_ATTR { at.store(hn::Add(at.load(dy), at.load(dbias)), dbias); });
    }
    if (dx) write_dx(d, normalised, weight, dy, dx + r * C, C);
  }
}

GLADIUS_SIMD_VERSIONS(layer_norm);
GLADIUS_SIMD_VERSIONS(layer_norm_backward);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(layer_norm);
GLADIUS_SIMD_EXPORT(layer_norm_backward);

template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, T* y, T* mean, T* inv_std,
                std::int64_t rows, std::int64_t C, double eps) {
  GLADIUS_SIMD_DISPATCH(layer_norm, T)(x, weight, bias, y, mean, inv_std, rows, C, eps);
}
template <class T>
void layer_norm_backward(const T* x, const T* weight, const T* mean, const T* inv_std, const T* dy,
                         T* dx, T* dweight, T* dbias, std::int64_t rows, std::int64_t C) {
  GLADIUS_SIMD_DISPATCH(layer_norm_backward, T)
  (x, weight, mean, inv_std, dy, dx, dweight, dbias, rows, C);
}

GLADIUS_INSTANTIATE(layer_norm);
GLADIUS_INSTANTIATE(layer_norm_backward);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
