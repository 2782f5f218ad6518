#include "gladius/tensor/kernels/sum.h"

#include "gladius/tensor/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/sum.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// The elements at a position, in double.
template <class D, class At>
HWY_INLINE hn::Vec<D> load(D, At at, const double* x) {
  return at.load(x);
}
template <class D, class At>
HWY_INLINE hn::Vec<D> load(D d, At at, const float* x) {
  return hn::PromoteTo(d, at.load(x));
}

template <class T>
double row_sum(const T* x, std::int64_t n) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr std::int64_t unroll = 4;  // hides the latency of the addition
  hn::Vec<decltype(d)> sums[unroll];
  for (auto& sum : sums) sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + unroll * lanes <= n; i += unroll * lanes) {
    for (std::int64_t u = 0; u < unroll; ++u) {
      sums[u] = hn::Add(sums[u], load(d, FullLanes<decltype(d)>{d, i + u * lanes}, x));
    }
  }
  for_each_vector(d, n - i,
                  [&](auto at) HWY_ATTR { sums[0] = hn::Add(sums[0], load(d, at, x + i)); });
  const auto total = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(d, total));
}

// Adds N rows to y in one pass.
template <int N, class T>
HWY_INLINE void add_some(std::int64_t columns, const T* x, std::int64_t ldx, double* y) {
  const hn::ScalableTag<double> d;
  for_each_vector(d, columns, [&](auto at) HWY_ATTR {
    auto sum = at.load(y);
    for (std::int64_t r = 0; r < N; ++r) sum = hn::Add(sum, load(d, at, x + r * ldx));
    at.store(sum, y);
  });
}

template <class T>
void add_rows(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx, double* y) {
  constexpr int several = 8;
  std::int64_t r = 0;
  for (; r + several <= rows; r += several) add_some<several>(columns, x + r * ldx, ldx, y);
  for (; r < rows; ++r) add_some<1>(columns, x + r * ldx, ldx, y);
}

GLADIUS_SIMD_VERSIONS(row_sum);
GLADIUS_SIMD_VERSIONS(add_rows);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(row_sum);
GLADIUS_SIMD_EXPORT(add_rows);

template <class T>
double sum(const T* x, std::int64_t n) {
  return GLADIUS_SIMD_DISPATCH(row_sum, T)(x, n);
}
template <class T>
void add_rows(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx, double* y) {
  GLADIUS_SIMD_DISPATCH(add_rows, T)(rows, columns, x, ldx, y);
}

GLADIUS_INSTANTIATE(sum);
GLADIUS_INSTANTIATE(add_rows);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
