#include "gladius/tensor/kernels/gemm_packed.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/bf16_pack.h"
#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/simd_targets.h"
#include "gladius/tensor/kernels/transpose.h"
#include "gladius/tensor/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/gemm_packed.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/gemm_tile-inl.h"
#include "gladius/tensor/kernels/simd-inl.h"

#ifndef GLADIUS_TENSOR_KERNELS_GEMM_PACKED_ONCE
#define GLADIUS_TENSOR_KERNELS_GEMM_PACKED_ONCE
namespace gladius::kernels {
namespace {

// Operands are packed as elements E: float, or pairs of bfloat16 numbers, which count as one below.
//
// A panel of B, [kDepth, kColumns]: two thirds of a first-level cache of 48 KiB.
constexpr std::int64_t kDepth = 96, kColumns = 64;
// A block of A, [kRows, kSlab], which stays in the second-level cache. Fewer than kFewestRows are
// not worth packing B for them alone.
constexpr std::int64_t kRows = 384, kFewestRows = 192, kSlab = 11 * kDepth;
// With so few columns of A the time goes into writing C, which is faster in long runs of few rows.
constexpr std::int64_t kShallow = kDepth / 2, kShallowRows = 48, kShallowColumns = 2 * kColumns;
// Multiplications that are worth a thread of their own.
constexpr std::int64_t kGrain = 1 << 19;

// Rows of memory, in bytes.
struct MemoryRows {
  const void* data;
  std::int64_t stride, bytes, count;
};

// A matrix as it lies in memory, or its transpose.
template <class T>
struct Operand {
  bool transposed;
  const T* data;
  std::int64_t ld;
  Operand from(std::int64_t i, std::int64_t j) const {
    return {transposed, transposed ? data + j * ld + i : data + i * ld + j, ld};
  }
  MemoryRows memory(std::int64_t rows, std::int64_t columns) const {
    const auto size = static_cast<std::int64_t>(sizeof(T));
    if (transposed) std::swap(rows, columns);
    return {data, ld * size, columns * size, rows};
  }
};

// The transpose of rows of quantised blocks; `stride` is in bytes.
struct Blocks {};
template <>
struct Operand<Blocks> {
  Dtype dtype;
  const std::byte* data;
  std::int64_t stride;
  std::int64_t block_bytes() const { return static_cast<std::int64_t>(dtype_size(dtype)); }
  // From the block on that has the row.
  Operand from(std::int64_t i, std::int64_t j) const {
    return {dtype, data + j * stride + i / block_elements(dtype) * block_bytes(), stride};
  }
  MemoryRows memory(std::int64_t rows, std::int64_t columns) const {
    return {data, stride, ceil_div(rows, block_elements(dtype)) * block_bytes(), columns};
  }
};

// C = A * B for the columns of one panel of B, which are packed at most `width` at a time. `k`
// counts numbers.
template <class W, class E>
struct PanelProduct {
  std::int64_t rows, k, width, columns, next_columns;
  const E* a;  // packed
  Operand<W> b;
  float* c;
  std::int64_t ldc;
  bool accumulate, stream;
};

struct PackedScratch;
struct PanelScratch;
struct SumsScratch;
struct NumbersScratch;

}  // namespace
}  // namespace gladius::kernels
#endif  // GLADIUS_TENSOR_KERNELS_GEMM_PACKED_ONCE

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kLine = 64;  // of the cache, in bytes

// The lines of a part of B, to be fetched a few at a time.
class Ahead {
 public:
  Ahead(MemoryRows rows, std::int64_t shares)
      : data_(static_cast<const std::byte*>(rows.data)),
        stride_(rows.stride),
        lines_in_row_(ceil_div(rows.bytes, kLine)),
        left_(rows.count * lines_in_row_),
        share_(ceil_div(left_, std::max<std::int64_t>(shares, 1))) {}

  HWY_INLINE void fetch() {
    for (std::int64_t n = std::min(share_, left_); n > 0; --n) {
      __builtin_prefetch(data_ + line_ * kLine, 0, 2);
      if (++line_ == lines_in_row_) line_ = 0, data_ += stride_;
      --left_;
    }
  }

 private:
  const std::byte* data_;
  std::int64_t stride_, lines_in_row_, left_, share_, line_ = 0;
};

// The lines of C that a tile of whole columns writes: they come while it is being summed up.
HWY_INLINE void fetch_tile(Rows<float> c) {
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    for (std::int64_t j = 0; j < kColumns; j += kLine / 4) __builtin_prefetch(c.at(r, j), 1);
  }
}

// Whether the rows of a tile are whole cache lines, as streaming stores need.
HWY_INLINE bool holds_whole_lines(const float* c, std::int64_t ldc) {
  return kTileVectors * lanes<float>() % (kLine / 4) == 0 && ldc % (kLine / 4) == 0 &&
         reinterpret_cast<std::uintptr_t>(c) % kLine == 0;
}

// The steps down B whose numbers are made at once: none here, of blocks as many as are whole
// blocks.
template <class W>
std::int64_t steps_at_once(const Operand<W>&, std::int64_t) {
  return 1;
}
inline std::int64_t steps_at_once(const Operand<Blocks>& b, std::int64_t step) {
  return std::lcm(step, block_elements(b.dtype)) / step;
}

// The numbers of B from row p on, for the columns of a panel: where they lie, or unpacked.
template <class W, class E>
HWY_INLINE Operand<W> numbers_from(std::int64_t p, const PanelProduct<W, E>& x) {
  return x.b.from(p, 0);
}
template <class E>
HWY_INLINE Operand<float> numbers_from(std::int64_t p, const PanelProduct<Blocks, E>& x) {
  constexpr std::int64_t step = kDepth * kTerms<E>;
  const std::int64_t depth = step * steps_at_once(x.b, step);
  const std::int64_t ld = depth + kLine / 4;  // not a power of two
  float* numbers = thread_scratch<NumbersScratch, float>(static_cast<std::size_t>(ld * x.width));
  if (p % depth == 0) {
    for (std::int64_t j = 0; j < x.columns; ++j) {
      dequantize(x.b.dtype, x.b.from(p, j).data, numbers + j * ld, std::min(depth, x.k - p));
    }
  }
  return {true, numbers + p % depth, ld};
}

// to [rows, columns] = b.
template <class W, class E>
HWY_INLINE void pack_panel(std::int64_t rows, std::int64_t columns, Operand<W> b, E* to,
                           std::int64_t ld_to) {
  if (b.transposed) {
    transposed_pairs(columns, rows, b.data, b.ld, to, ld_to);
  } else {
    pairs_along_columns(rows, columns, b.data, b.ld, to, ld_to);
  }
}
template <class W>
HWY_INLINE void pack_panel(std::int64_t rows, std::int64_t columns, Operand<W> b, float* to,
                           std::int64_t ld_to) {
  if (b.transposed) return transpose(columns, rows, b.data, b.ld, to, ld_to);
  for (std::int64_t i = 0; i < rows; ++i) {
    const W* row = b.data + i * b.ld;
    if constexpr (std::is_same_v<W, float>) {
      for_each_vector(hn::ScalableTag<float>(), columns,
                      [&](auto at) HWY_ATTR { at.store(at.load(row), to + i * ld_to); });
    } else {
      std::transform(row, row + columns, to + i * ld_to, [](W w) { return static_cast<float>(w); });
    }
  }
}

// The rows of B for one pass, from where they lie if they are used for one tile alone.
template <class W, class E, class Numbers>
HWY_INLINE Rows<const E> panel_of(std::int64_t k, const PanelProduct<W, E>& x, Operand<Numbers> b) {
  if constexpr (std::is_same_v<W, E>) {
    if (x.rows <= kTileRows && !b.transposed) return {b.data, b.ld};
  }
  E* panel = thread_scratch<PanelScratch, E>(kDepth * kColumns);
  pack_panel(k, x.columns, b, panel, x.width);
  return {panel, x.width};
}

// What a step of this panel reads, or beyond its `steps` one of the next panel.
template <class W, class E>
HWY_INLINE MemoryRows rows_ahead(std::int64_t s, std::int64_t steps, const PanelProduct<W, E>& x) {
  constexpr std::int64_t step = kDepth * kTerms<E>;
  const bool next = s >= steps;
  const std::int64_t p = (next ? s - steps : s) * step;
  return x.b.from(p, next ? x.columns : 0)
      .memory(std::clamp<std::int64_t>(x.k - p, 0, step), next ? x.next_columns : x.columns);
}

template <class W, class E>
void multiply_panel_of(PanelProduct<W, E> x) {
  constexpr std::int64_t step = kDepth * kTerms<E>;
  float* sums = thread_scratch<SumsScratch, float>(kRows * kColumns);
  Rows<const float> addend{x.accumulate ? x.c : nullptr, x.ldc};
  const bool stream = x.stream && holds_whole_lines(x.c, x.ldc);
  const std::int64_t tiles = x.rows / kTileRows * ceil_div(x.width, kTileVectors * lanes<float>());
  const std::int64_t steps = ceil_div(x.k, step), ahead_by = steps_at_once(x.b, step);
  for (std::int64_t p = 0; p < x.k; p += step) {
    const std::int64_t next = p + step;
    const bool last = next >= x.k;
    const Rows<float> c = last ? Rows<float>{x.c, x.ldc} : Rows<float>{sums, kColumns};
    const std::int64_t k = std::min(step, x.k - p);
    const Rows<const E> panel = panel_of(k, x, numbers_from(p, x));
    Ahead ahead(rows_ahead(p / step + ahead_by, steps, x), tiles);
    multiply_block<E>(x.rows, x.columns, ceil_div(k, kTerms<E>),
                      {x.a + p / kTerms<E> * x.rows, kDepth, 1}, panel, addend, c,
                      [&](Rows<float> tile) HWY_ATTR {
                        ahead.fetch();
                        if (last && !stream) fetch_tile(tile);
                        return last && stream;
                      });
    addend = {sums, kColumns};
  }
  if (stream) hwy::FlushStream();
}

template <class W>
void multiply_panel(PanelProduct<W, float> x) {
  multiply_panel_of(x);
}

template <class W>
void multiply_panel_of_pairs(PanelProduct<W, Bf16Pair> x) {
  if (!has_bf16_products()) return multiply_panel_of(x);
  multiply_panel_of(PanelProduct<W, NativeBf16Pair>{x.rows, x.k, x.width, x.columns, x.next_columns,
                                                    static_cast<const NativeBf16Pair*>(x.a), x.b,
                                                    x.c, x.ldc, x.accumulate, x.stream});
}

GLADIUS_SIMD_WEIGHT_VERSIONS(multiply_panel);
GLADIUS_SIMD_WEIGHT_VERSIONS(multiply_panel_of_pairs);
[[maybe_unused]] auto& multiply_panel_blocks = multiply_panel<Blocks>;
[[maybe_unused]] auto& multiply_panel_of_pairs_blocks = multiply_panel_of_pairs<Blocks>;

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {
namespace {

GLADIUS_SIMD_WEIGHT_EXPORT(multiply_panel);
GLADIUS_SIMD_WEIGHT_EXPORT(multiply_panel_of_pairs);
HWY_EXPORT(multiply_panel_blocks);
HWY_EXPORT(multiply_panel_of_pairs_blocks);

// Blocks [rows, kDepth] of A, one after the other. Reads A along its rows as they lie in memory.
void pack_rows(std::int64_t rows, std::int64_t depth, Operand<float> a, float* packed) {
  const auto for_blocks = [&](auto pack_block) {
    for (std::int64_t p = 0; p < depth; p += kDepth) {
      pack_block(p, std::min(kDepth, depth - p), packed + p * rows);
    }
  };
  if (a.transposed) {
    for_blocks([&](std::int64_t p, std::int64_t columns, float* block) {
      transpose(columns, rows, a.data + p * a.ld, a.ld, block, kDepth);
    });
  } else {
    for (std::int64_t i = 0; i < rows; ++i) {
      for_blocks([&](std::int64_t p, std::int64_t columns, float* block) {
        std::copy_n(a.data + i * a.ld + p, columns, block + i * kDepth);
      });
    }
  }
}
void pack_rows(std::int64_t rows, std::int64_t k, Operand<float> a, Bf16Pair* packed) {
  constexpr std::int64_t step = 2 * kDepth;
  for (std::int64_t p = 0; p < k; p += step) {
    const std::int64_t size = std::min(step, k - p);
    const float* from = a.from(0, p).data;
    Bf16Pair* block = packed + p / 2 * rows;
    a.transposed ? pack_columns(size, rows, from, a.ld, block, kDepth)
                 : pack_along_rows(rows, size, from, a.ld, block, kDepth);
  }
}

template <class E>
const E* packed_rows(std::int64_t rows, std::int64_t k, Operand<float> a) {
  E* packed = thread_scratch<PackedScratch, E>(
      static_cast<std::size_t>(rows * ceil_div(k, kDepth * kTerms<E>) * kDepth));
  pack_rows(rows, k, a, packed);
  return packed;
}

template <class W>
void multiply(const PanelProduct<W, float>& x) {
  GLADIUS_SIMD_WEIGHT_DISPATCH(multiply_panel, W)(x);
}
template <class W>
void multiply(const PanelProduct<W, Bf16Pair>& x) {
  GLADIUS_SIMD_WEIGHT_DISPATCH(multiply_panel_of_pairs, W)(x);
}

void multiply(const PanelProduct<Blocks, float>& x) {
  HWY_DYNAMIC_DISPATCH(multiply_panel_blocks)(x);
}
void multiply(const PanelProduct<Blocks, Bf16Pair>& x) {
  HWY_DYNAMIC_DISPATCH(multiply_panel_of_pairs_blocks)(x);
}

// Not more than kSlab elements E of a row of A and a column of B. A task is a panel of B with a
// block of A, which the thread packs where its last task had another.
template <class E, class W>
void multiply_slab(std::int64_t m, std::int64_t n, std::int64_t k, Operand<float> a, Operand<W> b,
                   float* c, std::int64_t ldc, bool accumulate, bool stream) {
  const bool shallow = k <= kShallow;
  const std::int64_t share = std::max(ceil_div(m, num_threads()), kFewestRows);
  const std::int64_t most_rows = shallow ? kShallowRows : std::min(kRows, share);
  const std::int64_t rows = ceil_div(m, ceil_div(m, most_rows));
  const std::int64_t width = shallow ? kShallowColumns : kColumns;
  const std::int64_t panels = ceil_div(n, width);
  const auto panel = [&, packed = static_cast<const E*>(nullptr),
                      packed_block = std::int64_t{-1}](std::int64_t task) mutable {
    const std::int64_t block = task / panels, i = block * rows, j = task % panels * width;
    const std::int64_t height = std::min(rows, m - i);
    if (block != packed_block) {
      packed = packed_rows<E>(height, k, a.from(i, 0)), packed_block = block;
    }
    const std::int64_t columns = std::min(width, n - j);
    multiply(PanelProduct<W, E>{height, k, width, columns, std::min(width, n - j - columns), packed,
                                b.from(0, j), c + i * ldc + j, ldc, accumulate, stream});
  };
  parallel_tasks(ceil_div(m, rows) * panels, kGrain / (rows * width * k) + 1, panel);
}

// Elements of the columns of B that are multiplied before the sums go to C: whole blocks.
template <class E, class W>
std::int64_t slab_of(const Operand<W>&) {
  return kSlab * kTerms<E>;
}
template <class E>
std::int64_t slab_of(const Operand<Blocks>& b) {
  const std::int64_t whole = std::lcm(kDepth * kTerms<E>, block_elements(b.dtype));
  return std::max(kSlab * kTerms<E> / whole, std::int64_t{1}) * whole;
}

template <class W>
void multiply_all(std::int64_t m, std::int64_t n, std::int64_t k, Operand<float> a, Operand<W> b,
                  float* c, std::int64_t ldc, const GemmOptions& options) {
  if (m == 0 || n == 0) return;
  const auto multiply_as = [&]<class E>(E) {
    const std::int64_t slab = slab_of<E>(b);
    for (std::int64_t p = 0; p < k; p += slab) {
      multiply_slab<E>(m, n, std::min(slab, k - p), a.from(0, p), b.from(p, 0), c, ldc,
                       options.beta != 0 || p > 0, options.stream && p + slab >= k);
    }
  };
  options.precision == Precision::bf16 ? multiply_as(Bf16Pair()) : multiply_as(float());
}

}  // namespace

template <class W>
void gemm_packed(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                 const W* b, std::int64_t ldb, float* c, std::int64_t ldc,
                 const GemmOptions& options) {
  multiply_all(m, n, k, Operand<float>{options.transpose_a, a, lda},
               Operand<W>{options.transpose_b, b, ldb}, c, ldc, options);
}

void gemm_packed_blocks(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                        std::int64_t lda, const std::byte* b, std::int64_t b_stride, float* c,
                        std::int64_t ldc, Precision precision) {
  multiply_all(m, n, k, Operand<float>{false, a, lda}, Operand<Blocks>{dtype, b, b_stride}, c, ldc,
               {.precision = precision});
}

GLADIUS_INSTANTIATE_WEIGHTS(gemm_packed);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
