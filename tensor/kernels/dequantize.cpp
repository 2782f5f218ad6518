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

// At most 16 lanes: so many elements share a scale.
using D = hn::CappedTag<float, 16>;

const D f32;
const hn::RebindToSigned<D> i32;

// Writes the numbers of a block to its place.
template <int kGroup>
struct Writer {
  template <class Q>
  HWY_INLINE void operator()(int first, float scale, Q q) const {
    const auto d = hn::Set(f32, scale);
    for (int i = 0; i < kGroup; i += static_cast<int>(hn::Lanes(f32))) {
      hn::StoreU(hn::Mul(hn::ConvertTo(f32, q(i)), d), f32, out + first + i);
    }
  }
  // Not the same with a shift of 0: a zero would lose its sign.
  template <class Q>
  HWY_INLINE void operator()(int first, float scale, float shift, Q q) const {
    const auto d = hn::Set(f32, scale), m = hn::Set(f32, shift);
    for (int i = 0; i < kGroup; i += static_cast<int>(hn::Lanes(f32))) {
      hn::StoreU(hn::MulAdd(hn::ConvertTo(f32, q(i)), d, m), f32, out + first + i);
    }
  }

  float* out;
};

void dequantize_blocks(Dtype dtype, const std::byte* blocks, float* y, std::int64_t n) {
  const std::size_t bytes = dtype_size(dtype);
  const std::int64_t elements = block_elements(dtype);
  const auto write = [&](auto reader) HWY_ATTR {
    using Reader = decltype(reader);
    const auto* block = reinterpret_cast<Bytes>(blocks);
    Writer<Reader::kGroup> writer{y};
    for (; writer.out < y + n; writer.out += elements, block += bytes) {
      Reader::read(i32, block, writer);
    }
  };
  with_small_reader(dtype, write);
  with_k_reader(dtype, write);
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
