#include "gladius/tensor/kernels/gemv.h"

#include <algorithm>
#include <type_traits>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/gemv.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE V load(const float* from) { return hn::LoadU(D(), from); }

HWY_INLINE V load(const bfloat16* from) {
  const auto bits =
      hn::LoadU(hn::Rebind<std::uint16_t, D>(), reinterpret_cast<const std::uint16_t*>(from));
  const hn::RebindToUnsigned<D> words;
  return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(words, bits)));
}

HWY_INLINE V load(const float16* from) {
  return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<hwy::float16_t, D>(),
                                      reinterpret_cast<const hwy::float16_t*>(from)));
}

// A vector of the `count` elements that are left, and zeros.
template <class T>
HWY_INLINE V load_some(const T* from, std::int64_t count) {
  T lanes[HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy_n(from, count, lanes);
  return load(lanes);
}

std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(D())); }

HWY_INLINE float total(V sums) { return hn::GetLane(hn::SumOfLanes(D(), sums)); }

// The products of four rows of w with Rows rows of x, one or two, so that a vector of w is
// converted once for both. `next` is the distance to four rows to prefetch, or 0. sums [Rows, 4].
template <int Rows, class W>
HWY_INLINE void dot_block(std::int64_t k, const float* x0, const float* x1, const W* const* w,
                          std::int64_t next, float* sums) {
  V a0 = hn::Zero(D()), a1 = a0, a2 = a0, a3 = a0;
  V b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  const auto add = [&](auto load_at) HWY_ATTR {
    const V w0 = load_at(w[0]), w1 = load_at(w[1]), w2 = load_at(w[2]), w3 = load_at(w[3]);
    const V x = load_at(x0);
    a0 = hn::MulAdd(x, w0, a0);
    a1 = hn::MulAdd(x, w1, a1);
    a2 = hn::MulAdd(x, w2, a2);
    a3 = hn::MulAdd(x, w3, a3);
    if constexpr (Rows == 2) {
      const V other = load_at(x1);
      b0 = hn::MulAdd(other, w0, b0);
      b1 = hn::MulAdd(other, w1, b1);
      b2 = hn::MulAdd(other, w2, b2);
      b3 = hn::MulAdd(other, w3, b3);
    }
  };
  // Vectors of a whole cache line of w, or more.
  constexpr std::int64_t vectors = std::max<std::int64_t>(1, 64 / (hn::MaxLanes(D()) * sizeof(W)));
  std::int64_t i = 0;
  const auto add_next = [&]() HWY_ATTR {
    add([i](const auto* row) HWY_ATTR { return load(row + i); });
    i += lanes();
  };
  while (i + vectors * lanes() <= k) {
    if (next != 0) {
      for (int row = 0; row < 4; ++row) fetch_ahead(w[row] + i + next);
    }
    for (std::int64_t v = 0; v < vectors; ++v) add_next();
  }
  while (i + lanes() <= k) add_next();
  if (i < k) add([i, k](const auto* row) HWY_ATTR { return load_some(row + i, k - i); });
  sums[0] = total(a0), sums[1] = total(a1), sums[2] = total(a2), sums[3] = total(a3);
  if constexpr (Rows == 2) {
    sums[4] = total(b0), sums[5] = total(b1), sums[6] = total(b2), sums[7] = total(b3);
  }
}

// x . w, fetching what follows the row in memory.
HWY_INLINE float dot_row(std::int64_t k, const float* x, const float* w) {
  constexpr std::int64_t ahead = 1024;
  V sum = hn::Zero(D());
  std::int64_t i = 0;
  for (; i + lanes() <= k; i += lanes()) {
    fetch_ahead(w + i + ahead);
    sum = hn::MulAdd(load(x + i), load(w + i), sum);
  }
  if (i < k) sum = hn::MulAdd(load_some(x + i, k - i), load_some(w + i, k - i), sum);
  return total(sum);
}

// x's even numbers of each two vectors, then its odd ones: as the halves of vectors of pairs of
// bfloat16 become numbers. What is less than two vectors stays as it is.
void split_pairs(std::int64_t k, const float* x, float* split) {
  std::int64_t i = 0;
  for (; i + 2 * lanes() <= k; i += 2 * lanes()) {
    V even, odd;
    hn::LoadInterleaved2(D(), x + i, even, odd);
    hn::StoreU(even, D(), split + i);
    hn::StoreU(odd, D(), split + i + lanes());
  }
  std::copy(x + i, x + k, split + i);
}

// The same for an x that is split: a load and two cheap operations make two vectors of numbers.
HWY_INLINE float dot_row(std::int64_t k, const float* split, const bfloat16* w) {
  constexpr std::int64_t ahead = 2048;
  const hn::RebindToUnsigned<D> words;
  V even = hn::Zero(D()), odd = even;
  std::int64_t i = 0;
  for (; i + 2 * lanes() <= k; i += 2 * lanes()) {
    fetch_ahead(w + i + ahead);
    const auto pairs = hn::LoadU(words, reinterpret_cast<const std::uint32_t*>(w + i));
    const auto first = hn::ShiftLeft<16>(pairs);
    const auto second = hn::And(pairs, hn::Set(words, 0xFFFF0000));
    even = hn::MulAdd(load(split + i), hn::BitCast(D(), first), even);
    odd = hn::MulAdd(load(split + i + lanes()), hn::BitCast(D(), second), odd);
  }
  V sum = hn::Add(even, odd);
  for (; i + lanes() <= k; i += lanes()) sum = hn::MulAdd(load(split + i), load(w + i), sum);
  if (i < k) sum = hn::MulAdd(load_some(split + i, k - i), load_some(w + i, k - i), sum);
  return total(sum);
}

template <class W>
void dot_all(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, std::int64_t x_stride,
             const W* w, std::int64_t w_stride, float* y, std::int64_t y_stride) {
  // One stream of memory is faster than four, where a row's sum need not wait for its products.
  if constexpr (!std::is_same_v<W, float16>) {
    if (m == 1) {
      if constexpr (std::is_same_v<W, bfloat16>) {
        float* split = thread_scratch<V, float>(static_cast<std::size_t>(k));
        split_pairs(k, x, split);
        x = split;
      }
      for (std::int64_t j = 0; j < n; ++j) y[j] = dot_row(k, x, w + j * w_stride);
      return;
    }
  }
  for (std::int64_t j = 0; j < n; j += 4) {
    // Past the end, the last row again.
    const std::int64_t count = std::min<std::int64_t>(4, n - j);
    // Processors stop fetching ahead where a row ends, which costs half of the memory's rate.
    std::int64_t next = j + 8 <= n ? 4 * w_stride : 0;
    const W* rows[4];
    for (std::int64_t l = 0; l < 4; ++l) rows[l] = w + (j + std::min(l, count - 1)) * w_stride;
    float sums[8];
    std::int64_t i = 0;
    for (; i + 2 <= m; i += 2, next = 0) {
      dot_block<2>(k, x + i * x_stride, x + (i + 1) * x_stride, rows, next, sums);
      std::copy_n(sums, count, y + i * y_stride + j);
      std::copy_n(sums + 4, count, y + (i + 1) * y_stride + j);
    }
    if (i < m) {
      dot_block<1>(k, x + i * x_stride, nullptr, rows, next, sums);
      std::copy_n(sums, count, y + i * y_stride + j);
    }
  }
}

GLADIUS_SIMD_WEIGHT_VERSIONS(dot_all);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

// Weights that are worth a thread of their own.
constexpr std::int64_t kGrainWeights = 1 << 16;

GLADIUS_SIMD_WEIGHT_EXPORT(dot_all);

}  // namespace

template <class W>
void gemv(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, std::int64_t x_stride,
          const W* w, std::int64_t w_stride, float* y, std::int64_t y_stride) {
  GLADIUS_SIMD_WEIGHT_DISPATCH(dot_all, W)(m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

template <class W>
void parallel_gemv(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                   std::int64_t x_stride, const W* w, std::int64_t w_stride, float* y,
                   std::int64_t y_stride) {
  const std::int64_t grain = kGrainWeights / std::max<std::int64_t>(k, 1) + 1;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    gemv(m, end - begin, k, x, x_stride, w + begin * w_stride, w_stride, y + begin, y_stride);
  });
}

GLADIUS_INSTANTIATE_WEIGHTS(gemv);
GLADIUS_INSTANTIATE_WEIGHTS(parallel_gemv);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
