#include "gladius/tensor/kernels/transpose.h"

#include <type_traits>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/transpose.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Rows [begin, end) of x.
template <class From, class To>
void copy_rows(std::int64_t begin, std::int64_t end, std::int64_t columns, const From* x,
               std::int64_t ldx, To* y, std::int64_t ldy) {
  for (std::int64_t i = begin; i < end; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) y[j * ldy + i] = static_cast<To>(x[i * ldx + j]);
  }
}

#if HWY_TARGET == HWY_SCALAR

template <class From, class To>
void transpose(std::int64_t rows, std::int64_t columns, const From* x, std::int64_t ldx, To* y,
               std::int64_t ldy) {
  copy_rows(0, rows, columns, x, ldx, y, ldy);
}

#else

// What moves through the lanes of a vector: an element, or two of 16 bits.
template <class From>
using Lane = std::conditional_t<sizeof(From) == 2, std::uint32_t, From>;

// Lanes in 16 bytes, the width within which vectors interleave.
template <class L>
constexpr std::int64_t kBlock = 16 / sizeof(L);

// A vector of blocks from rows that are `step` elements apart.
template <class D, class From>
HWY_INLINE hn::Vec<D> load_blocks(D d, const From* x, std::int64_t step) {
  using L = hn::TFromD<D>;
  constexpr std::int64_t lanes = hn::MaxLanes(d);
  if constexpr (lanes <= kBlock<L>) {
    return hn::LoadU(d, reinterpret_cast<const L*>(x));
  } else {
    const hn::Half<D> half;
    const From* upper = x + lanes / 2 / kBlock<L> * step;
    return hn::Combine(d, load_blocks(half, upper, step), load_blocks(half, x, step));
  }
}

// kBlock<L> columns of lanes, each over as many rows as a vector has lanes.
template <class D, class From>
HWY_INLINE void load_columns(D d, const From* x, std::int64_t ldx, hn::Vec<D>* columns) {
  using L = hn::TFromD<D>;
  const auto rows = [&](std::int64_t r)
                        HWY_ATTR { return load_blocks(d, x + r * ldx, kBlock<L> * ldx); };
  const auto a = rows(0), b = rows(1);
  const auto lower = hn::InterleaveLower(d, a, b), upper = hn::InterleaveUpper(d, a, b);
  if constexpr (kBlock<L> == 2) {
    columns[0] = lower, columns[1] = upper;
  } else {
    const auto e = rows(2), f = rows(3);
    const hn::RepartitionToWide<D> pairs;
    const auto first = [&](auto p, auto q) HWY_ATTR {
      return hn::BitCast(d,
                         hn::InterleaveLower(pairs, hn::BitCast(pairs, p), hn::BitCast(pairs, q)));
    };
    const auto second = [&](auto p, auto q) HWY_ATTR {
      return hn::BitCast(d,
                         hn::InterleaveUpper(pairs, hn::BitCast(pairs, p), hn::BitCast(pairs, q)));
    };
    const auto next_lower = hn::InterleaveLower(d, e, f);
    const auto next_upper = hn::InterleaveUpper(d, e, f);
    columns[0] = first(lower, next_lower), columns[1] = second(lower, next_lower);
    columns[2] = first(upper, next_upper), columns[3] = second(upper, next_upper);
  }
}

template <class D>
HWY_INLINE auto from_bfloat16(D, hn::Vec<D> bits) {
  return hn::BitCast(hn::RebindToFloat<D>(), hn::ShiftLeft<16>(bits));
}

template <class D>
HWY_INLINE auto from_float16(D, hn::Vec<D> bits) {
  const hn::Rebind<std::uint16_t, D> half;
  const auto demoted = hn::DemoteTo(half, hn::BitCast(hn::RebindToSigned<D>(), bits));
  return hn::PromoteTo(hn::RebindToFloat<D>(),
                       hn::BitCast(hn::Rebind<hwy::float16_t, D>(), demoted));
}

// The elements of a column of lanes to `y`; those of a pair's second half to the next row.
template <class From, class D, class To>
HWY_INLINE void store_column(D d, hn::Vec<D> column, To* y, std::int64_t ldy) {
  if constexpr (sizeof(From) != 2) {
    hn::StoreU(column, d, y);
  } else {
    const hn::Rebind<float, D> f32;
    const auto low = hn::And(column, hn::Set(d, 0xffffu)), high = hn::ShiftRight<16>(column);
    if constexpr (std::is_same_v<From, bfloat16>) {
      hn::StoreU(from_bfloat16(d, low), f32, y);
      hn::StoreU(from_bfloat16(d, high), f32, y + ldy);
    } else {
      hn::StoreU(from_float16(d, low), f32, y);
      hn::StoreU(from_float16(d, high), f32, y + ldy);
    }
  }
}

template <class From, class To>
void transpose(std::int64_t rows, std::int64_t columns, const From* x, std::int64_t ldx, To* y,
               std::int64_t ldy) {
  using L = Lane<From>;
  const hn::ScalableTag<L> d;
  constexpr std::int64_t height = hn::MaxLanes(d), halves = sizeof(L) / sizeof(From),
                         width = kBlock<L> * halves;
  const std::int64_t whole_rows = rows / height * height, whole_columns = columns / width * width;
  for (std::int64_t i = 0; i < whole_rows; i += height) {
    for (std::int64_t j = 0; j < whole_columns; j += width) {
      hn::Vec<decltype(d)> block[kBlock<L>];
      load_columns(d, x + i * ldx + j, ldx, block);
      for (std::int64_t t = 0; t < kBlock<L>; ++t) {
        store_column<From>(d, block[t], y + (j + t * halves) * ldy + i, ldy);
      }
    }
  }
  copy_rows(0, whole_rows, columns - whole_columns, x + whole_columns, ldx, y + whole_columns * ldy,
            ldy);
  copy_rows(whole_rows, rows, columns, x, ldx, y, ldy);
}

#endif  // HWY_TARGET == HWY_SCALAR

// HWY_EXPORT takes plain functions.
[[maybe_unused]] auto& transpose_f32 = transpose<float, float>;
[[maybe_unused]] auto& transpose_f64 = transpose<double, double>;
[[maybe_unused]] auto& transpose_bf16 = transpose<bfloat16, float>;
[[maybe_unused]] auto& transpose_f16 = transpose<float16, float>;

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

HWY_EXPORT(transpose_f32);
HWY_EXPORT(transpose_f64);
HWY_EXPORT(transpose_bf16);
HWY_EXPORT(transpose_f16);

#define GLADIUS_TRANSPOSE(From, To, version)                                                      \
  template <>                                                                                     \
  void transpose(std::int64_t rows, std::int64_t columns, const From* x, std::int64_t ldx, To* y, \
                 std::int64_t ldy) {                                                              \
    HWY_DYNAMIC_DISPATCH(version)(rows, columns, x, ldx, y, ldy);                                 \
  }
GLADIUS_TRANSPOSE(float, float, transpose_f32)
GLADIUS_TRANSPOSE(double, double, transpose_f64)
GLADIUS_TRANSPOSE(bfloat16, float, transpose_bf16)
GLADIUS_TRANSPOSE(float16, float, transpose_f16)
#undef GLADIUS_TRANSPOSE

}  // namespace gladius::kernels
#endif  // HWY_ONCE
