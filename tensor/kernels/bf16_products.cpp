#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/precision.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/bf16_products.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/bf16_pairs-inl.h"

#if HWY_ONCE
namespace gladius::kernels {
namespace {

HWY_EXPORT(has_bf16_products);

bool chosen_target_has_them() { return HWY_DYNAMIC_DISPATCH(has_bf16_products)(); }

}  // namespace
}  // namespace gladius::kernels

namespace gladius {

bool has_bf16_products() { return kernels::chosen_target_has_them(); }

}  // namespace gladius
#endif  // HWY_ONCE
