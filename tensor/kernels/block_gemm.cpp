// With the target of Ice Lake and Zen 4, for VNNI's products.
#ifndef HWY_WANT_AVX3_DL
#define HWY_WANT_AVX3_DL
#endif
#include <algorithm>
#include <type_traits>

#include "gladius/tensor/kernels/block_rests.h"
#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/block_gemm.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/block_integers-inl.h"
#include "gladius/tensor/kernels/block_readers-inl.h"

#ifndef GLADIUS_INTEGER_TILES
#define GLADIUS_INTEGER_TILES
namespace gladius::kernels {
namespace {

constexpr std::int64_t kBlock = 256;
// A tile of y that is summed up in registers.
constexpr int kTileRows = 6, kTileColumns = 2;
// Blocks of a row that are multiplied before the sums go to y: a tile's operands of them are in the
// first-level cache.
constexpr std::int64_t kSlabBlocks = 4;
// Rows of x whose integers are in memory.
constexpr std::int64_t kMostRows = 170 * kTileRows;
// Rows of w that are unpacked at a time: a slab of them stays in the second-level cache.
constexpr std::int64_t kPanelRows = 64;

// Blocks of `kHeight` rows of integers beside each other, of which each is scale q; with the sums
// of their groups, or what these are multiplied by.
template <int kHeight>
struct Tiles {
  std::int64_t blocks = 0, groups = 0;  // of a row; of a block's sums
  std::int16_t* q = nullptr;            // [tiles, blocks, kHeight, kBlock]
  float* scales = nullptr;              // [tiles, blocks, kHeight]
  float* sums = nullptr;                // [tiles, blocks, kHeight, groups]

  Tiles at(std::int64_t tile, std::int64_t block) const {
    const std::int64_t i = (tile * blocks + block) * kHeight;
    return {blocks, groups, q + i * kBlock, scales + i, sums + i * groups};
  }
};
using RowTiles = Tiles<kTileRows>;
using ColumnTiles = Tiles<kTileColumns>;

struct RowTilesScratch;
struct PanelTilesScratch;

// In the calling thread's memory.
template <class Owner, int kHeight>
Tiles<kHeight> make_tiles(std::int64_t tiles, std::int64_t blocks, std::int64_t groups) {
  const auto rows = static_cast<std::size_t>(tiles * blocks * kHeight);
  Tiles<kHeight> made{blocks, groups};
  made.q = thread_scratch<Owner, std::int16_t>(rows * kBlock);
  made.scales = thread_scratch<Owner, float>(rows * static_cast<std::size_t>(1 + groups));
  made.sums = made.scales + rows;
  return made;
}

}  // namespace
}  // namespace gladius::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

constexpr int kLanes = static_cast<int>(hn::MaxLanes(f32));
// Numbers that are multiplied before the integers' sums become floats: 32 to a lane.
constexpr int kDepth = std::min<int>(kBlock, 32 * kLanes);

// Of a type's integers, number times scale.
template <class Reader>
constexpr int kLargest = Reader::kLargestScale* std::max(Reader::kOffset,
                                                         Reader::kLevels - 1 - Reader::kOffset);
// The largest integer for which a lane's sum of 32 products cannot overflow: 16383 by Q6_K
// (32 * 4096 * 16383 = 2^31 - 2^17), 32767 by the others (Q5_K: 32 * 1953 * 32767 = 2047806432).
template <class Reader>
constexpr std::int64_t kHighest = std::min<std::int64_t>(32767,
                                                         0x7fffffff / (32 * kLargest<Reader>));
template <class Reader>
constexpr int kSums = Reader::kHasMinima ? Reader::kGroups : 0;

// A block of a row of x.
template <class Reader>
HWY_INLINE void make_block(const float* x, std::int16_t* q, float& scale, float* sums) {
  scale = integers_of(x, kBlock, kHighest<Reader>, q);
  for (std::int64_t g = 0; g < kSums<Reader>; ++g) {
    sums[g] = scale * static_cast<float>(sum_of(q + g * Reader::kGroup, Reader::kGroup));
  }
}

// Tiles [begin, end) of m rows of x; the last one ends in rows of zeros.
void make_row_tiles(Dtype dtype, const float* x, std::int64_t m, std::int64_t x_stride,
                    const RowTiles& to, std::int64_t begin, std::int64_t end) {
  static constexpr float kZeros[kBlock] = {};
  with_k_reader(dtype, [&](auto reader) HWY_ATTR {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      for (std::int64_t b = 0; b < to.blocks; ++b) {
        const RowTiles at = to.at(tile, b);
        for (std::int64_t r = 0, i = tile * kTileRows; r < kTileRows; ++r, ++i) {
          make_block<decltype(reader)>(i < m ? x + i * x_stride + b * kBlock : kZeros,
                                       at.q + r * kBlock, at.scales[r], at.sums + r * at.groups);
        }
      }
    }
  });
}

// A block of a row of w; the minima go where the rows of x have their sums.
template <class Reader>
HWY_INLINE void unpack_block(Bytes block, std::int16_t* q, float& scale, float* minima) {
  KScales s;
  Reader::scales(block, s);
  scale = s.d;
  if constexpr (Reader::kHasMinima) scaled<Reader::kGroups>(s.minimum, s.dmin, minima);
  std::int8_t scales[16];
  std::memcpy(scales, s.scale, sizeof scales);
  Reader::levels(i16, block, [&](int chunk, auto levels) HWY_ATTR {
    for (int j = 32 * chunk; j < 32 * chunk + 32; j += static_cast<int>(hn::Lanes(i16))) {
      const auto level = hn::Sub(levels(j - 32 * chunk), hn::Set(i16, Reader::kOffset));
      hn::StoreU(hn::Mul(level, hn::Set(i16, scales[j / Reader::kGroup])), i16, q + j);
    }
  });
}

// Blocks [first, first + count) of n rows of w. The last row stands for those that its tile lacks.
template <class Reader>
HWY_INLINE void unpack_panel(std::int64_t n, const std::byte* w, std::int64_t w_stride,
                             std::int64_t first, std::int64_t count, const ColumnTiles& to) {
  for (std::int64_t tile = 0; tile < ceil_div(n, kTileColumns); ++tile) {
    for (std::int64_t c = 0; c < kTileColumns; ++c) {
      const std::int64_t j = std::min(tile * kTileColumns + c, n - 1);
      Bytes block = reinterpret_cast<Bytes>(w + j * w_stride) + first * Reader::kBytes;
      for (std::int64_t b = 0; b < count; ++b, block += Reader::kBytes) {
        const ColumnTiles at = to.at(tile, b);
        unpack_block<Reader>(block, at.q + c * kBlock, at.scales[c], at.sums + c * at.groups);
      }
    }
  }
}

// v, which is computed before what comes after this: compilers otherwise multiply a whole tile
// before they add, for which there are not registers enough.
template <class V>
HWY_INLINE V settled(V v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && (HWY_COMPILER_GCC || HWY_COMPILER_CLANG)
  auto raw = v.raw;
  asm volatile("" : "+x"(raw));
  v.raw = raw;
#endif
  return v;
}

// f of the integers below kCount as constants: what they index is in registers.
template <int kCount, class F>
HWY_INLINE void for_constants(F f) {
  if constexpr (kCount > 0) {
    for_constants<kCount - 1>(f);
    f(std::integral_constant<int, kCount - 1>());
  }
}

using Sums = hn::Vec<F32>[kTileRows][kTileColumns];

// The products of a block. Not a part of its caller: there the sums would take the registers from
// the integers.
template <int kGroups>
HWY_NOINLINE void add_block(const RowTiles& x, const ColumnTiles& w, Sums& sums) {
  for (int part = 0; part < kBlock; part += kDepth) {
    hn::Vec<I32> even[kTileRows][kTileColumns], odd[kTileRows][kTileColumns];
    for_constants<kTileRows>([&](auto r) HWY_ATTR {
      for_constants<kTileColumns>([&](auto c) HWY_ATTR { even[r][c] = odd[r][c] = hn::Zero(i32); });
    });
    for (int k = part; k < part + kDepth; k += static_cast<int>(hn::MaxLanes(i16))) {
      hn::Vec<I16> columns[kTileColumns];
      for_constants<kTileColumns>(
          [&](auto c) HWY_ATTR { columns[c] = settled(hn::LoadU(i16, w.q + c * kBlock + k)); });
      for_constants<kTileRows>([&](auto r) HWY_ATTR {
        const auto row = settled(hn::LoadU(i16, x.q + r * kBlock + k));
        for_constants<kTileColumns>([&](auto c) HWY_ATTR {
          even[r][c] = settled(add_products(row, columns[c], even[r][c], odd[r][c]));
        });
      });
    }
    const bool last = part + kDepth == kBlock;
    for_constants<kTileRows>([&](auto r) HWY_ATTR {
      for_constants<kTileColumns>([&](auto c) HWY_ATTR {
        const auto whole = hn::ConvertTo(f32, hn::RearrangeToOddPlusEven(even[r][c], odd[r][c]));
        auto sum = hn::MulAdd(whole, hn::Set(f32, x.scales[r] * w.scales[c]), sums[r][c]);
        for (int g = 0; last && g < kGroups; g += kLanes) {  // less the minima
          sum = hn::NegMulAdd(hn::LoadU(f32, x.sums + r * kGroups + g),
                              hn::LoadU(f32, w.sums + c * kGroups + g), sum);
        }
        sums[r][c] = sum;
      });
    });
  }
}

// y = x . w, or y += x . w with `add`, in `height` rows and `width` columns of a tile.
template <class Reader>
HWY_INLINE void multiply_tile(std::int64_t blocks, RowTiles x, ColumnTiles w, bool add,
                              std::int64_t height, std::int64_t width, float* y,
                              std::int64_t y_stride) {
  Sums sums;
  for (auto& row : sums) {
    for (auto& sum : row) sum = hn::Zero(f32);
  }
  for (std::int64_t b = 0; b < blocks; ++b) {
    add_block<kSums<Reader>>(x.at(0, b), w.at(0, b), sums);
  }
  for (std::int64_t r = 0; r < height; ++r) {
    for (std::int64_t c = 0; c < width; ++c) {
      float& to = y[r * y_stride + c];
      to = (add ? to : 0.0f) + hn::GetLane(hn::SumOfLanes(f32, sums[r][c]));
    }
  }
}

// n columns of y of m rows.
void multiply_panel(Dtype dtype, std::int64_t m, std::int64_t n, const RowTiles& x,
                    const std::byte* w, std::int64_t w_stride, float* y, std::int64_t y_stride) {
  const std::int64_t slabs = ceil_div(x.blocks, kSlabBlocks), most = ceil_div(x.blocks, slabs);
  const std::int64_t tiles = ceil_div(n, kTileColumns);
  const auto panel = make_tiles<PanelTilesScratch, kTileColumns>(tiles, most, x.groups);
  with_k_reader(dtype, [&](auto reader) HWY_ATTR {
    using Reader = decltype(reader);
    for (std::int64_t first = 0; first < x.blocks; first += most) {
      const std::int64_t blocks = std::min(most, x.blocks - first);
      unpack_panel<Reader>(n, w, w_stride, first, blocks, panel);
      for (std::int64_t i = 0; i < m; i += kTileRows) {
        for (std::int64_t tile = 0; tile < tiles; ++tile) {
          const std::int64_t j = tile * kTileColumns;
          multiply_tile<Reader>(blocks, x.at(i / kTileRows, first), panel.at(tile, 0), first > 0,
                                std::min<std::int64_t>(kTileRows, m - i),
                                std::min<std::int64_t>(kTileColumns, n - j), y + i * y_stride + j,
                                y_stride);
        }
      }
    }
  });
}

std::int64_t sums_of_block(Dtype dtype) {
  std::int64_t count = 0;
  with_k_reader(dtype, [&](auto reader) { count = kSums<decltype(reader)>; });
  return count;
}

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

HWY_EXPORT(make_row_tiles);
HWY_EXPORT(multiply_panel);
HWY_EXPORT(sums_of_block);

BlockRests rests_of_rows(const RowTiles& tiles, std::int64_t m, const float* x,
                         std::int64_t x_stride) {
  const auto block = [&](std::int64_t i, std::int64_t b) { return tiles.at(i / kTileRows, b); };
  return rests_of(
      m, x, x_stride, tiles.blocks, kBlock,
      [&](std::int64_t i, std::int64_t b) { return block(i, b).scales[i % kTileRows]; },
      [&](std::int64_t i, std::int64_t b, std::int64_t e) {
        return block(i, b).q[i % kTileRows * kBlock + e];
      });
}

void multiply_rows(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                   std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                   std::int64_t y_stride) {
  const std::int64_t tiles = ceil_div(m, kTileRows);
  const auto rows = make_tiles<RowTilesScratch, kTileRows>(
      tiles, k / kBlock, HWY_DYNAMIC_DISPATCH(sums_of_block)(dtype));
  parallel_for(tiles, 1, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(make_row_tiles)(dtype, x, m, x_stride, rows, begin, end);
  });
  parallel_tasks(ceil_div(n, kPanelRows), 1, [&](std::int64_t panel) {
    const std::int64_t j = panel * kPanelRows;
    HWY_DYNAMIC_DISPATCH(multiply_panel)
    (dtype, m, std::min(kPanelRows, n - j), rows, w + j * w_stride, w_stride, y + j, y_stride);
  });
  add_k_rests(dtype, rests_of_rows(rows, m, x, x_stride), n, w, w_stride, y, y_stride);
}

}  // namespace

void block_gemm(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                std::int64_t x_stride, const std::byte* w, std::int64_t w_stride, float* y,
                std::int64_t y_stride) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t i = 0; i < m; ++i) std::fill_n(y + i * y_stride, n, 0.0f);
    return;
  }
  for (std::int64_t i = 0; i < m; i += kMostRows) {
    multiply_rows(dtype, std::min(kMostRows, m - i), n, k, x + i * x_stride, x_stride, w, w_stride,
                  y + i * y_stride, y_stride);
  }
}

}  // namespace gladius::kernels
#endif  // HWY_ONCE
