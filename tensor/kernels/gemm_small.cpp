#include "gladius/tensor/kernels/gemm_small.h"

#include <algorithm>

#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/gemm_small.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/gemm_tile-inl.h"
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// Rows of B that one pass takes: with a tile's columns they stay in the first-level cache while the
// rows of A go by.
constexpr std::int64_t kInner = 64;

template <class T>
void gemm_small(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t a_row,
                std::int64_t a_column, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                bool accumulate) {
  const Strided<const T> left{a, a_row, a_column};
  const Rows<const T> right{b, ldb};
  const Rows<T> sums{c, ldc};
  std::int64_t p = 0;
  do {  // once for k = 0, which may have to write zeros
    multiply_block<T>(m, n, std::min(kInner, k - p), left.from(0, p), right.from(p, 0),
                      {accumulate ? c : nullptr, ldc}, sums, [](Rows<T>) { return false; });
    accumulate = true;
    p += kInner;
  } while (p < k);
}

GLADIUS_SIMD_VERSIONS(gemm_small);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(gemm_small);

template <class T>
void gemm_small(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t a_row,
                std::int64_t a_column, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                bool accumulate) {
  GLADIUS_SIMD_DISPATCH(gemm_small, T)
  (m, n, k, a, a_row, a_column, b, ldb, c, ldc, accumulate);
}

GLADIUS_INSTANTIATE(gemm_small);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
