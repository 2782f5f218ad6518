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

template <class E>
void gemm_small_of(std::int64_t m, std::int64_t n, std::int64_t k, const E* a, std::int64_t a_row,
                   std::int64_t a_column, const E* b, std::int64_t ldb, SumOf<E>* c,
                   std::int64_t ldc, bool accumulate) {
  const Strided<const E> left{a, a_row, a_column};
  const Rows<const E> right{b, ldb};
  const Rows<SumOf<E>> sums{c, ldc};
  std::int64_t p = 0;
  do {  // once for k = 0, which may have to write zeros
    multiply_block<E>(m, n, std::min(kInner, k - p), left.from(0, p), right.from(p, 0),
                      {accumulate ? c : nullptr, ldc}, sums, [](Rows<SumOf<E>>) { return false; });
    accumulate = true;
    p += kInner;
  } while (p < k);
}

void gemm_small_of_pairs(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16Pair* a,
                         std::int64_t a_row, std::int64_t a_column, const Bf16Pair* b,
                         std::int64_t ldb, float* c, std::int64_t ldc, bool accumulate) {
  if (!has_bf16_products()) {
    return gemm_small_of(m, n, k, a, a_row, a_column, b, ldb, c, ldc, accumulate);
  }
  gemm_small_of(m, n, k, static_cast<const NativeBf16Pair*>(a), a_row, a_column,
                static_cast<const NativeBf16Pair*>(b), ldb, c, ldc, accumulate);
}

GLADIUS_SIMD_VERSIONS(gemm_small_of);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(gemm_small_of);
HWY_EXPORT(gemm_small_of_pairs);

template <class E>
void gemm_small(std::int64_t m, std::int64_t n, std::int64_t k, const E* a, std::int64_t a_row,
                std::int64_t a_column, const E* b, std::int64_t ldb, SumOf<E>* c, std::int64_t ldc,
                bool accumulate) {
  if constexpr (kTerms<E> == 2) {
    HWY_DYNAMIC_DISPATCH(gemm_small_of_pairs)
    (m, n, k, a, a_row, a_column, b, ldb, c, ldc, accumulate);
  } else {
    GLADIUS_SIMD_DISPATCH(gemm_small_of, E)
    (m, n, k, a, a_row, a_column, b, ldb, c, ldc, accumulate);
  }
}

GLADIUS_INSTANTIATE(gemm_small);
template decltype(gemm_small<Bf16Pair>) gemm_small<Bf16Pair>;

}  // namespace gladius::kernels
#endif  // HWY_ONCE
