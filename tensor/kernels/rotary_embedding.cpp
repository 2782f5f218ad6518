#include "gladius/tensor/kernels/rotary_embedding.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/rotary_embedding.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

template <class T>
void rotary_embedding(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride, const T* cos,
                      const T* sin, const std::int64_t* positions, std::int64_t tokens,
                      std::int64_t H, std::int64_t D, bool inverse) {
  const hn::ScalableTag<T> d;
  const auto sign = hn::Set(d, inverse ? T{-1} : T{1});
  const std::int64_t half = D / 2;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const T* cos_row = cos + positions[t] * half;
    const T* sin_row = sin + positions[t] * half;
    for (std::int64_t h = 0; h < H; ++h) {
      const T* in = x + t * x_stride + h * D;
      T* out = y + t * y_stride + h * D;
      for_each_vector(d, half, [&](auto at) HWY_ATTR {
        const auto c = at.load(cos_row);
        const auto s = hn::Mul(sign, at.load(sin_row));
        const auto first = at.load(in);
        const auto second = at.load(in + half);
        at.store(hn::NegMulAdd(second, s, hn::Mul(first, c)), out);
        at.store(hn::MulAdd(first, s, hn::Mul(second, c)), out + half);
      });
    }
  }
}

GLADIUS_SIMD_VERSIONS(rotary_embedding);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(rotary_embedding);

template <class T>
void rotary_embedding(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride, const T* cos,
                      const T* sin, const std::int64_t* positions, std::int64_t tokens,
                      std::int64_t H, std::int64_t D, bool inverse) {
  GLADIUS_SIMD_DISPATCH(rotary_embedding, T)
  (x, x_stride, y, y_stride, cos, sin, positions, tokens, H, D, inverse);
}

GLADIUS_INSTANTIATE(rotary_embedding);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
