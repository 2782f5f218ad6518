// With the target of Ice Lake and Zen 4, for VNNI's products.
#ifndef HWY_WANT_AVX3_DL
#define HWY_WANT_AVX3_DL
#endif
#include <algorithm>

#include "gladius/tensor/kernels/block_rests.h"
#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/block_gemv.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/block_dots-inl.h"
#include "gladius/tensor/kernels/block_integers-inl.h"
#include "gladius/tensor/kernels/block_readers-inl.h"

#ifndef GLADIUS_INTEGER_ROWS
#define GLADIUS_INTEGER_ROWS
namespace gladius::kernels {
// Rows of x in blocks of 32 16-bit integers, x ~ scale q.
struct IntegerRows {
  static constexpr std::int64_t kBlock = 32;

  std::int64_t blocks = 0;
  std::int16_t* q = nullptr;  // [m, blocks, kBlock]
  float* scales = nullptr;    // [m, blocks]
  float* sums = nullptr;      // of the blocks' x, [m, blocks]

  IntegerRows row(std::int64_t i) const {
    return {blocks, q + i * blocks * kBlock, scales + i * blocks, sums + i * blocks};
  }
};
}  // namespace gladius::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// A block's 32 products of 16 bits by 8 are below 2^28.
constexpr float kHighest = 32767;

void make_integers(const float* x, std::int64_t m, std::int64_t x_stride, const IntegerRows& to) {
  for (std::int64_t i = 0; i < m; ++i) {
    const IntegerRows row = to.row(i);
    for (std::int64_t b = 0; b < to.blocks; ++b) {
      std::int16_t* const q = row.q + b * IntegerRows::kBlock;
      row.scales[b] =
          integers_of(x + i * x_stride + b * IntegerRows::kBlock, IntegerRows::kBlock, kHighest, q);
      row.sums[b] = row.scales[b] * static_cast<float>(sum_of(q, IntegerRows::kBlock));
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

  HWY_INLINE void add_block(Bytes block) {
    Reader::read(i16, block, *this);
    for (int r = 0; r < Rows; ++r) {
      q_[r] += IntegerRows::kBlock;
      ++scales_[r], ++sums_[r];
    }
  }
  HWY_INLINE float total(int r) const {
    return hn::GetLane(hn::SumOfLanes(f32, total_[r])) + shifts_[r];
  }

  // A block's only group, as the reader hands it over.
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
      const float unit = scale * *scales_[r];
      total_[r] = hn::MulAdd(products, hn::Set(f32, unit), total_[r]);
    }
  }
  template <class Q>
  HWY_INLINE void operator()(int first, float scale, float shift, Q q) {
    (*this)(first, scale, q);
    for (int r = 0; r < Rows; ++r) shifts_[r] += shift * *sums_[r];
  }

 private:
  static_assert(Reader::kElements == IntegerRows::kBlock && Reader::kGroup == IntegerRows::kBlock);

  const std::int16_t* q_[Rows];
  const float *scales_[Rows], *sums_[Rows];  // of the block
  hn::Vec<F32> total_[Rows];
  float shifts_[Rows] = {};
};

void dot_rows(Dtype dtype, std::int64_t m, std::int64_t n, const IntegerRows& x, const std::byte* w,
              std::int64_t w_stride, float* y, std::int64_t y_stride) {
  with_small_reader(dtype, [&](auto reader) HWY_ATTR {
    dot_blocks<Products, decltype(reader)>(m, n, x, w, w_stride, y, y_stride);
  });
}

void add_rests_of_rows(Dtype dtype, const BlockRests& rests, std::int64_t n, const IntegerRows& x,
                       const std::byte* w, std::int64_t w_stride, float* y, std::int64_t y_stride) {
  with_small_reader(dtype, [&](auto reader) HWY_ATTR {
    dot_rests<Products, decltype(reader)>(rests, n, x, w, w_stride, y, y_stride);
  });
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

HWY_EXPORT(make_integers);
HWY_EXPORT(dot_rows);
HWY_EXPORT(add_rests_of_rows);

// In the calling thread's memory.
template <class Owner>
IntegerRows integer_rows(std::int64_t m, std::int64_t k, const float* x, std::int64_t x_stride) {
  IntegerRows rows{k / IntegerRows::kBlock};
  const std::int64_t blocks = m * rows.blocks;
  rows.q = thread_scratch<Owner, std::int16_t>(static_cast<std::size_t>(m * k));
  rows.scales = thread_scratch<Owner, float>(static_cast<std::size_t>(2 * blocks));
  rows.sums = rows.scales + blocks;
  HWY_DYNAMIC_DISPATCH(make_integers)(x, m, x_stride, rows);
  return rows;
}

BlockRests rests_of_rows(const IntegerRows& rows, std::int64_t m, const float* x,
                         std::int64_t x_stride) {
  constexpr std::int64_t kBlock = IntegerRows::kBlock;
  return rests_of(
      m, x, x_stride, rows.blocks, kBlock,
      [&](std::int64_t i, std::int64_t b) { return rows.row(i).scales[b]; },
      [&](std::int64_t i, std::int64_t b, std::int64_t e) {
        return rows.row(i).q[b * kBlock + e];
      });
}

}  // namespace

void block_gemv(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                std::int64_t y_stride) {
  if (is_k_type(dtype)) {
    return block_gemv_k(dtype, m, n, k, x, x_stride, w, w_stride, y, y_stride);
  }
  constexpr std::int64_t block = IntegerRows::kBlock;
  const auto rows = integer_rows<IntegerRows>(m, k, x, x_stride);
  const BlockRests rests = rests_of_rows(rows, m, x, x_stride);
  const auto rests_rows = integer_rows<BlockRests>(rests.count(), block, rests.x.data(), block);
  parallel_for(n, rows_worth_a_thread(k), [&](std::int64_t begin, std::int64_t end) {
    const std::byte* from = w + begin * w_stride;
    HWY_DYNAMIC_DISPATCH(dot_rows)
    (dtype, m, end - begin, rows, from, w_stride, y + begin, y_stride);
    HWY_DYNAMIC_DISPATCH(add_rests_of_rows)
    (dtype, rests, end - begin, rests_rows, from, w_stride, y + begin, y_stride);
  });
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
