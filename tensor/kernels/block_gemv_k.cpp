// With the target of Ice Lake and Zen 4, for VNNI's products.
#ifndef HWY_WANT_AVX3_DL
#define HWY_WANT_AVX3_DL
#endif
#include <algorithm>
#include <array>

#include "gladius/tensor/kernels/block_rests.h"
#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/block_gemv_k.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/block_dots-inl.h"
#include "gladius/tensor/kernels/block_integers-inl.h"
#include "gladius/tensor/kernels/block_readers-inl.h"

#ifndef GLADIUS_BYTE_ROWS
#define GLADIUS_BYTE_ROWS
namespace gladius::kernels {
// Rows of x in blocks of 256 integers 256 high + low, x ~ scale (256 high + low): a product of
// levels of up to 6 bits by signed bytes needs no wider numbers than two of them give.
struct ByteRows {
  std::int64_t blocks = 0, groups = 0;
  std::int8_t* q = nullptr;  // [m, blocks, high or low, 256]
  float* scales = nullptr;   // [m, blocks]
  float* sums = nullptr;     // of the groups' x, [m, blocks, groups]

  ByteRows row(std::int64_t i) const {
    return {blocks, groups, q + i * blocks * 512, scales + i * blocks, sums + i * blocks * groups};
  }
};
}  // namespace gladius::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

using U8 = hn::CappedTag<std::uint8_t, 32>;
using I8 = hn::CappedTag<std::int8_t, 32>;

const U8 u8;
const I8 i8;

// The largest number of two signed bytes: 256 * 127 + 127.
constexpr float kHighest = 32639;

// q as 256 high + low.
HWY_INLINE void split_bytes(const std::int16_t* q, std::int8_t* high, std::int8_t* low) {
  const hn::Rebind<std::int8_t, I16> half;
  for (int i = 0; i < 256; i += static_cast<int>(hn::Lanes(i16))) {
    const auto v = hn::LoadU(i16, q + i);
    const auto h = hn::ShiftRight<8>(hn::Add(v, hn::Set(i16, 128)));
    hn::StoreU(hn::DemoteTo(half, h), half, high + i);
    hn::StoreU(hn::DemoteTo(half, hn::Sub(v, hn::ShiftLeft<8>(h))), half, low + i);
  }
}

void make_bytes(const float* x, std::int64_t m, std::int64_t x_stride, const ByteRows& to) {
  std::int16_t q[256];
  const std::int64_t group = 256 / to.groups;
  for (std::int64_t i = 0; i < m; ++i) {
    const ByteRows row = to.row(i);
    for (std::int64_t b = 0; b < to.blocks; ++b) {
      const float scale = integers_of(x + i * x_stride + b * 256, 256, kHighest, q);
      split_bytes(q, row.q + b * 512, row.q + b * 512 + 256);
      for (std::int64_t g = 0; g < to.groups; ++g) {
        row.sums[b * to.groups + g] = scale * static_cast<float>(sum_of(q + g * group, group));
      }
      row.scales[b] = scale;
    }
  }
}

// The products of levels (up to 63) and signed bytes, each two next to each other as a sum, below
// 2^14. Highway 1.0.3 does not know the instruction.
HWY_INLINE hn::Vec<I16> pair_products(hn::Vec<U8> levels, hn::Vec<I8> x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  return hn::Vec<I16>{_mm256_maddubs_epi16(levels.raw, x.raw)};
#elif HWY_TARGET == HWY_SSE4
  return hn::Vec<I16>{_mm_maddubs_epi16(levels.raw, x.raw)};
#elif HWY_TARGET == HWY_SCALAR  // one at a time
  return hn::Vec<I16>(static_cast<std::int16_t>(levels.raw * x.raw));
#else
  const auto both = hn::BitCast(i16, levels), bytes = hn::BitCast(i16, x);
  const auto first =
      hn::Mul(hn::And(both, hn::Set(i16, 255)), hn::ShiftRight<8>(hn::ShiftLeft<8>(bytes)));
  return hn::Add(first, hn::Mul(hn::ShiftRight<8>(both), hn::ShiftRight<8>(bytes)));
#endif
}

// Where the bytes of the scales of a chunk's numbers are among eight of 16 bits, for each two
// numbers; chunks of one group each, or of two.
template <int kGroup>
constexpr auto scale_places() {
  std::array<std::array<std::uint8_t, 32>, 8> places{};
  for (std::size_t chunk = 0; chunk < 8; ++chunk) {
    for (std::size_t at = 0; at < 32; ++at) {
      const std::size_t group = (32 * chunk + at) / kGroup;
      places[chunk][at] = static_cast<std::uint8_t>(2 * (group % 8) + at % 2);
    }
  }
  return places;
}
template <int kGroup>
[[maybe_unused]] constexpr auto kScalePlaces = scale_places<kGroup>();

// The scales of a chunk's numbers j and on, of the block's `all`.
template <int kGroup>
HWY_INLINE hn::Vec<I16> scales_of(const std::int16_t* all, int chunk, int j) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(i16, all[(32 * chunk + j) / kGroup]);
#else
  const auto near = hn::LoadDup128(i16, all + 32 * chunk / kGroup / 8 * 8);
  const std::uint8_t* places = kScalePlaces<kGroup>[static_cast<std::size_t>(chunk)].data();
  return hn::TableLookupBytes(near, hn::BitCast(i16, hn::LoadU(u8, places + j)));
#endif
}

// Sums up the products of a row of blocks with Rows rows of x.
template <int Rows, class Reader>
class BlockProducts {
 public:
  HWY_INLINE explicit BlockProducts(const ByteRows& x, std::int64_t row) {
    for (int r = 0; r < Rows; ++r) {
      const ByteRows one = x.row(row + r);
      q_[r] = one.q, scales_[r] = one.scales, sums_[r] = one.sums;
      total_[r] = hn::Zero(f32);
    }
  }

  HWY_INLINE void add_block(Bytes block) {
    KScales scales;
    Reader::scales(block, scales);
    add_products_of(block, scales);
    if constexpr (Reader::kHasMinima) take_sums(scales.minimum, scales.dmin);
    if constexpr (Reader::kOffset > 0) take_sums(scales.scale, Reader::kOffset * scales.d);
    for (int r = 0; r < Rows; ++r) {
      q_[r] += 512, ++scales_[r], sums_[r] += Reader::kGroups;
    }
  }
  HWY_INLINE float total(int r) const { return hn::GetLane(hn::SumOfLanes(f32, total_[r])); }

 private:
  // A lane's sums over a block are below 256 / 16 * 2^14 * 2^7 = 2^25.
  HWY_INLINE void add_products_of(Bytes block, const KScales& scales) {
    const hn::CappedTag<std::int16_t, 8> eight;
    HWY_ALIGN std::int16_t wide[16];
    for (int i = 0; i < Reader::kGroups; i += static_cast<int>(hn::Lanes(eight))) {
      const Bytes bytes = reinterpret_cast<Bytes>(scales.scale) + i;
      hn::StoreU(load_signed(eight, bytes), eight, wide + i);
    }
    hn::Vec<I32> high[Rows], low[Rows], high_odd[Rows], low_odd[Rows];
    for (int r = 0; r < Rows; ++r) {
      high[r] = low[r] = high_odd[r] = low_odd[r] = hn::Zero(i32);
    }
    Reader::levels(u8, block, [&](int chunk, auto levels) HWY_ATTR {
      for (int j = 0; j < 32; j += static_cast<int>(hn::Lanes(u8))) {
        const auto scale = scales_of<Reader::kGroup>(wide, chunk, j);
        const auto level = levels(j);
        for (int r = 0; r < Rows; ++r) {
          const std::int8_t* x = q_[r] + 32 * chunk + j;
          high[r] =
              add_products(pair_products(level, hn::LoadU(i8, x)), scale, high[r], high_odd[r]);
          low[r] =
              add_products(pair_products(level, hn::LoadU(i8, x + 256)), scale, low[r], low_odd[r]);
        }
      }
    });
    for (int r = 0; r < Rows; ++r) {
      const float unit = scales.d * *scales_[r];
      const auto upper = hn::ConvertTo(f32, hn::RearrangeToOddPlusEven(high[r], high_odd[r]));
      const auto lower = hn::ConvertTo(f32, hn::RearrangeToOddPlusEven(low[r], low_odd[r]));
      const auto all = hn::MulAdd(upper, hn::Set(f32, 256), lower);
      total_[r] = hn::MulAdd(all, hn::Set(f32, unit), total_[r]);
    }
  }
  // Less the sums of x's groups times bytes and a factor.
  HWY_INLINE void take_sums(const std::uint64_t* bytes, float factor) {
    for (int g = 0; g < Reader::kGroups; g += static_cast<int>(hn::Lanes(f32))) {
      const auto whole = load_signed(i32, reinterpret_cast<Bytes>(bytes) + g);
      const auto each = hn::Mul(hn::ConvertTo(f32, whole), hn::Set(f32, factor));
      for (int r = 0; r < Rows; ++r) {
        total_[r] = hn::NegMulAdd(each, hn::LoadU(f32, sums_[r] + g), total_[r]);
      }
    }
  }

  const std::int8_t* q_[Rows];
  const float *scales_[Rows], *sums_[Rows];  // of the block, of its groups
  hn::Vec<F32> total_[Rows];
};

void dot_rows(Dtype dtype, std::int64_t m, std::int64_t n, const ByteRows& x, const std::byte* w,
              std::int64_t w_stride, float* y, std::int64_t y_stride) {
  with_k_reader(dtype, [&](auto reader) HWY_ATTR {
    dot_blocks<BlockProducts, decltype(reader)>(m, n, x, w, w_stride, y, y_stride);
  });
}

void add_rests_of_rows(Dtype dtype, const BlockRests& rests, std::int64_t n, const ByteRows& x,
                       const std::byte* w, std::int64_t w_stride, float* y, std::int64_t y_stride) {
  with_k_reader(dtype, [&](auto reader) HWY_ATTR {
    dot_rests<BlockProducts, decltype(reader)>(rests, n, x, w, w_stride, y, y_stride);
  });
}

std::int64_t groups_of_block(Dtype dtype) {
  std::int64_t count = 0;
  with_k_reader(dtype, [&](auto reader) { count = decltype(reader)::kGroups; });
  return count;
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

HWY_EXPORT(make_bytes);
HWY_EXPORT(dot_rows);
HWY_EXPORT(add_rests_of_rows);
HWY_EXPORT(groups_of_block);

// In the calling thread's memory.
template <class Owner>
ByteRows byte_rows(Dtype dtype, std::int64_t m, std::int64_t k, const float* x,
                   std::int64_t x_stride) {
  ByteRows rows{k / 256, HWY_DYNAMIC_DISPATCH(groups_of_block)(dtype)};
  const std::int64_t blocks = m * rows.blocks;
  rows.q = thread_scratch<Owner, std::int8_t>(static_cast<std::size_t>(blocks * 512));
  rows.scales = thread_scratch<Owner, float>(static_cast<std::size_t>(blocks * (1 + rows.groups)));
  rows.sums = rows.scales + blocks;
  HWY_DYNAMIC_DISPATCH(make_bytes)(x, m, x_stride, rows);
  return rows;
}

BlockRests rests_of_rows(const ByteRows& rows, std::int64_t m, const float* x,
                         std::int64_t x_stride) {
  return rests_of(
      m, x, x_stride, rows.blocks, 256,
      [&](std::int64_t i, std::int64_t b) { return rows.row(i).scales[b]; },
      [&](std::int64_t i, std::int64_t b, std::int64_t e) {
        const std::int8_t* const q = rows.row(i).q + b * 512;
        return 256 * q[e] + q[256 + e];
      });
}

}  // namespace

void add_k_rests(Dtype dtype, const BlockRests& rests, std::int64_t n, const std::byte* w,
                 std::int64_t w_stride, float* y, std::int64_t y_stride) {
  if (rests.count() == 0) return;
  const auto rows = byte_rows<BlockRests>(dtype, rests.count(), 256, rests.x.data(), 256);
  parallel_for(
      n, rows_worth_a_thread(256 * rests.count()), [&](std::int64_t begin, std::int64_t end) {
        HWY_DYNAMIC_DISPATCH(add_rests_of_rows)
        (dtype, rests, end - begin, rows, w + begin * w_stride, w_stride, y + begin, y_stride);
      });
}

void block_gemv_k(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                  std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                  std::int64_t y_stride) {
  const auto rows = byte_rows<ByteRows>(dtype, m, k, x, x_stride);
  const BlockRests rests = rests_of_rows(rows, m, x, x_stride);
  const auto rests_rows = byte_rows<BlockRests>(dtype, rests.count(), 256, rests.x.data(), 256);
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
