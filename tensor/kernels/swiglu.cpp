#include "gladius/tensor/kernels/swiglu.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/swiglu.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

template <class T>
void swiglu(const T* gate, const T* up, T* y, std::int64_t rows, std::int64_t F,
            std::int64_t in_stride, std::int64_t out_stride) {
  const hn::ScalableTag<T> d;
  for (std::int64_t r = 0; r < rows; ++r) {
    for_each_vector(d, F, [&](auto at) HWY_ATTR {
      const auto g = at.load(gate);
      at.store(hn::Mul(hn::Mul(g, sigmoid(d, g)), at.load(up)), y);
    });
    gate += in_stride, up += in_stride, y += out_stride;
  }
}

template <class T>
void swiglu_backward(const T* gate, const T* up, const T* dy, T* dgate, T* dup, std::int64_t rows,
                     std::int64_t F, std::int64_t in_stride, std::int64_t dy_stride) {
  const hn::ScalableTag<T> d;
  const auto one = hn::Set(d, T{1});
  for (std::int64_t r = 0; r < rows; ++r) {
    for_each_vector(d, F, [&](auto at) HWY_ATTR {
      const auto g = at.load(gate);
      const auto u = at.load(up);
      const auto out = at.load(dy);
      const auto s = sigmoid(d, g);
      const auto silu = hn::Mul(g, s);
      // silu' = s + g s (1 - s)
      const auto slope = hn::MulAdd(silu, hn::Sub(one, s), s);
      at.store(hn::Mul(hn::Mul(out, u), slope), dgate);
      at.store(hn::Mul(out, silu), dup);
    });
    gate += in_stride, up += in_stride, dgate += in_stride, dup += in_stride, dy += dy_stride;
  }
}

GLADIUS_SIMD_VERSIONS(swiglu);
GLADIUS_SIMD_VERSIONS(swiglu_backward);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(swiglu);
GLADIUS_SIMD_EXPORT(swiglu_backward);

template <class T>
void swiglu(const T* gate, const T* up, T* y, std::int64_t rows, std::int64_t F,
            std::int64_t in_stride, std::int64_t out_stride) {
  GLADIUS_SIMD_DISPATCH(swiglu, T)(gate, up, y, rows, F, in_stride, out_stride);
}
template <class T>
void swiglu_backward(const T* gate, const T* up, const T* dy, T* dgate, T* dup, std::int64_t rows,
                     std::int64_t F, std::int64_t in_stride, std::int64_t dy_stride) {
  GLADIUS_SIMD_DISPATCH(swiglu_backward, T)
  (gate, up, dy, dgate, dup, rows, F, in_stride, dy_stride);
}

GLADIUS_INSTANTIATE(swiglu);
GLADIUS_INSTANTIATE(swiglu_backward);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
