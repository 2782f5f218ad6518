#include <algorithm>

#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/block_gemv.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/block_readers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// The products of a row of blocks with Rows rows of x, so that its numbers are read once for all.
template <int Rows, class Reader>
HWY_INLINE void dot_row(Reader reader, std::int64_t k, std::int64_t elements, std::size_t bytes,
                        const float* x, std::int64_t x_stride, Bytes block, float* y,
                        std::int64_t y_stride) {
  using V = hn::Vec<D>;
  V sums[Rows];  // of vectors: a loop of a constant count is unrolled
  for (V& sum : sums) sum = hn::Zero(f32);
  for (std::int64_t b = 0; b < k; b += elements, block += bytes) {
    V parts[Rows];  // of the block, apart, to hide the latency of the additions
    for (V& part : parts) part = hn::Zero(f32);
    bool odd = false;
    const auto multiply = [&](int i, V w) HWY_ATTR {
      V* to = odd ? parts : sums;
      odd = !odd;
      for (int r = 0; r < Rows; ++r) {
        to[r] = hn::MulAdd(w, hn::LoadU(f32, x + r * x_stride + b + i), to[r]);
      }
    };
    reader.read(block, multiply);
    for (int r = 0; r < Rows; ++r) sums[r] = hn::Add(sums[r], parts[r]);
  }
  for (int r = 0; r < Rows; ++r) y[r * y_stride] = hn::GetLane(hn::SumOfLanes(f32, sums[r]));
}

void dot_rows(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
              std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
              std::int64_t y_stride) {
  const std::int64_t elements = block_elements(dtype);
  const std::size_t bytes = dtype_size(dtype);
  with_block_reader(dtype, [&](auto reader) HWY_ATTR {
    for (std::int64_t j = 0; j < n; ++j) {
      const auto* row = reinterpret_cast<Bytes>(w + j * w_stride);
      std::int64_t i = 0;
      for (; i + 2 <= m; i += 2) {
        dot_row<2>(reader, k, elements, bytes, x + i * x_stride, x_stride, row,
                   y + i * y_stride + j, y_stride);
      }
      if (i < m) {
        dot_row<1>(reader, k, elements, bytes, x + i * x_stride, x_stride, row,
                   y + i * y_stride + j, y_stride);
      }
    }
  });
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

// Weights that are worth a thread of their own.
constexpr std::int64_t kGrainElements = 1 << 15;

HWY_EXPORT(dot_rows);

}  // namespace

void block_gemv(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                std::int64_t y_stride) {
  const std::int64_t grain = kGrainElements / std::max<std::int64_t>(k, 1) + 1;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(dot_rows)
    (dtype, m, end - begin, k, x, x_stride, w + begin * w_stride, w_stride, y + begin, y_stride);
  });
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
