#include "gladius/tensor/kernels/bf16_pack.h"

#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/bf16_pack.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/bf16_pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// Calls pack(y) with the pairs that the processor has.
template <class Pack>
void with_pairs(Bf16Pair* y, Pack pack) {
  has_bf16_products() ? pack(static_cast<NativeBf16Pair*>(y)) : pack(y);
}

void pack_along_rows(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                     Bf16Pair* y, std::int64_t ldy) {
  with_pairs(y, [&](auto* pairs) {
    for (std::int64_t i = 0; i < rows; ++i) pairs_along_row(columns, x + i * ldx, pairs + i * ldy);
  });
}

void pack_along_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                        Bf16Pair* y, std::int64_t ldy) {
  with_pairs(y, [&](auto* pairs) { pairs_along_columns(rows, columns, x, ldx, pairs, ldy); });
}

void pack_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                  Bf16Pair* y, std::int64_t ldy) {
  with_pairs(y, [&](auto* pairs) { pairs_of_columns(rows, columns, x, ldx, pairs, ldy); });
}

void pack_transposed(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                     Bf16Pair* y, std::int64_t ldy) {
  with_pairs(y, [&](auto* pairs) { transposed_pairs(rows, columns, x, ldx, pairs, ldy); });
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

HWY_EXPORT(pack_along_rows);
HWY_EXPORT(pack_along_columns);
HWY_EXPORT(pack_columns);
HWY_EXPORT(pack_transposed);

void pack_along_rows(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                     Bf16Pair* y, std::int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(pack_along_rows)(rows, columns, x, ldx, y, ldy);
}
void pack_along_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                        Bf16Pair* y, std::int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(pack_along_columns)(rows, columns, x, ldx, y, ldy);
}
void pack_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                  Bf16Pair* y, std::int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(pack_columns)(rows, columns, x, ldx, y, ldy);
}
void pack_transposed(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t ldx,
                     Bf16Pair* y, std::int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(pack_transposed)(rows, columns, x, ldx, y, ldy);
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
