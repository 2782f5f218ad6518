#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/dequantize.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/block_readers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

void dequantize_blocks(Dtype dtype, const std::byte* blocks, float* y, std::int64_t n) {
  const std::size_t bytes = dtype_size(dtype);
  const std::int64_t elements = block_elements(dtype);
  with_block_reader(dtype, [&](auto reader) HWY_ATTR {
    const auto* block = reinterpret_cast<Bytes>(blocks);
    float* out = y;
    const auto store = [&](int i, hn::Vec<D> v) HWY_ATTR { hn::StoreU(v, f32, out + i); };
    for (; out < y + n; out += elements, block += bytes) reader.read(block, store);
  });
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

HWY_EXPORT(dequantize_blocks);

void dequantize(Dtype dtype, const std::byte* blocks, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(dequantize_blocks)(dtype, blocks, y, n);
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
