// With the target of Ice Lake and Zen 4, for VNNI's products.
#ifndef HWY_WANT_AVX3_DL
#define HWY_WANT_AVX3_DL
#endif
#include <algorithm>

#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/block_gemv.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/block_integers-inl.h"
#include "gladius/tensor/kernels/block_readers-inl.h"
#include "hwy/cache_control.h"

#ifndef GLADIUS_INTEGER_ROWS
#define GLADIUS_INTEGER_ROWS
namespace gladius::kernels {
// Rows of x in 16-bit integers, x ~ scale q in each group of the blocks that they are multiplied
// by.
struct IntegerRows {
  std::int64_t k = 0, group = 0;
  std::int16_t* q = nullptr;  // [m, k]
  float* scales = nullptr;    // [m, k / group]
  float* sums = nullptr;      // of the groups' x, [m, k / group]

  IntegerRows row(std::int64_t i) const {
    return {k, group, q + i * k, scales + i * (k / group), sums + i * (k / group)};
  }
};
}  // namespace gladius::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// Bytes that are read in the time that memory takes to answer.
constexpr std::int64_t kAhead = 4096;
// A group of 32 products of 16 bits by 8 is below 2^28.
constexpr float kHighest = 32767;

void make_integers(const float* x, std::int64_t m, std::int64_t x_stride, const IntegerRows& to) {
  for (std::int64_t i = 0; i < m; ++i) {
    const IntegerRows row = to.row(i);
    for (std::int64_t at = 0, g = 0; at < to.k; at += to.group, ++g) {
      row.scales[g] = integers_of(x + i * x_stride + at, to.group, kHighest, row.q + at);
      row.sums[g] = row.scales[g] * static_cast<float>(sum_of(row.q + at, to.group));
    }
  }
}

// Sums up the products of a row of blocks with Rows rows of x.
template <int Rows, class Reader>
class Products {
 public:
  HWY_INLINE explicit Products(const IntegerRows& x, std::int64_t row) {
    for (int r = 0; r < Rows; ++r) {
      const IntegerRows one = x.row(row + r);
      q_[r] = one.q, scales_[r] = one.scales, sums_[r] = one.sums;
      total_[r] = hn::Zero(f32);
    }
  }

  // And asks for what is `ahead` bytes behind it: the memory's own streams are too short.
  HWY_INLINE void add_block(Bytes block, std::int64_t ahead) {
    for (int line = 0; line < Reader::kBytes; line += 64) hwy::Prefetch(block + ahead + line);
    Reader::read(i16, block, *this);
    for (int r = 0; r < Rows; ++r) {
      q_[r] += Reader::kElements;
      scales_[r] += kGroups, sums_[r] += kGroups;
    }
  }
  HWY_INLINE float total(int r) const {
    return hn::GetLane(hn::SumOfLanes(f32, total_[r])) + shifts_[r];
  }

  // A group, as the reader hands it over.
  template <class Q>
  HWY_INLINE void operator()(int first, float scale, Q q) {
    hn::Vec<I32> even[Rows], odd[Rows];
    for (int r = 0; r < Rows; ++r) even[r] = odd[r] = hn::Zero(i32);
    for (int i = 0; i < Reader::kGroup; i += static_cast<int>(hn::Lanes(i16))) {
      const auto w = q(i);
      for (int r = 0; r < Rows; ++r) {
        const auto x = hn::LoadU(i16, q_[r] + first + i);
        even[r] = add_products(w, x, even[r], odd[r]);
      }
    }
    for (int r = 0; r < Rows; ++r) {
      const auto products = hn::ConvertTo(f32, hn::RearrangeToOddPlusEven(even[r], odd[r]));
      const float unit = scale * scales_[r][first / Reader::kGroup];
      total_[r] = hn::MulAdd(products, hn::Set(f32, unit), total_[r]);
    }
  }
  template <class Q>
  HWY_INLINE void operator()(int first, float scale, float shift, Q q) {
    (*this)(first, scale, q);
    for (int r = 0; r < Rows; ++r) shifts_[r] += shift * sums_[r][first / Reader::kGroup];
  }

 private:
  static constexpr int kGroups = Reader::kElements / Reader::kGroup;

  const std::int16_t* q_[Rows];
  const float *scales_[Rows], *sums_[Rows];  // of the block's groups
  hn::Vec<F32> total_[Rows];
  float shifts_[Rows] = {};
};

// A column of y, in its rows i and on, Rows of them.
template <int Rows, class Reader>
HWY_INLINE void dot_row(const IntegerRows& x, std::int64_t i, Bytes row, std::int64_t ahead,
                        float* y, std::int64_t y_stride) {
  Products<Rows, Reader> products(x, i);
  for (std::int64_t at = 0; at < x.k; at += Reader::kElements, row += Reader::kBytes) {
    products.add_block(row, ahead);
  }
  for (int r = 0; r < Rows; ++r) y[(i + r) * y_stride] = products.total(r);
}

void dot_rows(Dtype dtype, std::int64_t m, std::int64_t n, const IntegerRows& x, const std::byte* w,
              std::int64_t w_stride, float* y, std::int64_t y_stride) {
  const std::int64_t ahead = std::max(2 * w_stride, kAhead);
  with_small_reader(dtype, [&](auto reader) HWY_ATTR {
    using Reader = decltype(reader);
    for (std::int64_t j = 0; j < n; ++j) {
      const auto* row = reinterpret_cast<Bytes>(w + j * w_stride);
      std::int64_t i = 0;
      for (; i + 4 <= m; i += 4) dot_row<4, Reader>(x, i, row, ahead, y + j, y_stride);
      for (; i + 2 <= m; i += 2) dot_row<2, Reader>(x, i, row, ahead, y + j, y_stride);
      if (i < m) dot_row<1, Reader>(x, i, row, ahead, y + j, y_stride);
    }
  });
}

std::int64_t group_size(Dtype dtype) {
  std::int64_t size = 0;
  with_small_reader(dtype, [&](auto reader) { size = decltype(reader)::kGroup; });
  return size;
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

// Weights that are worth a thread of their own.
constexpr std::int64_t kGrainElements = 1 << 15;

HWY_EXPORT(make_integers);
HWY_EXPORT(dot_rows);
HWY_EXPORT(group_size);

// In the calling thread's memory.
IntegerRows integer_rows(Dtype dtype, std::int64_t m, std::int64_t k, const float* x,
                         std::int64_t x_stride) {
  const std::int64_t group = HWY_DYNAMIC_DISPATCH(group_size)(dtype), groups = m * (k / group);
  IntegerRows rows{k, group};
  rows.q = thread_scratch<IntegerRows, std::int16_t>(static_cast<std::size_t>(m * k));
  rows.scales = thread_scratch<IntegerRows, float>(static_cast<std::size_t>(2 * groups));
  rows.sums = rows.scales + groups;
  HWY_DYNAMIC_DISPATCH(make_integers)(x, m, x_stride, rows);
  return rows;
}

}  // namespace

void block_gemv(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                std::int64_t y_stride) {
  if (block_elements(dtype) == 256) {
    return block_gemv_k(dtype, m, n, k, x, x_stride, w, w_stride, y, y_stride);
  }
  const IntegerRows rows = integer_rows(dtype, m, k, x, x_stride);
  const std::int64_t grain = kGrainElements / std::max<std::int64_t>(k, 1) + 1;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(dot_rows)
    (dtype, m, end - begin, rows, w + begin * w_stride, w_stride, y + begin, y_stride);
  });
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
