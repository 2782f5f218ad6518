// Products of bfloat16 numbers, of which a lane sums up two at once. Compiled once a target (see
// Highway's foreach_target.h), hence no #pragma once.
#if defined(GLADIUS_TENSOR_KERNELS_BF16_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GLADIUS_TENSOR_KERNELS_BF16_PAIRS_INL_H_
#undef GLADIUS_TENSOR_KERNELS_BF16_PAIRS_INL_H_
#else
#define GLADIUS_TENSOR_KERNELS_BF16_PAIRS_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/bf16_pair.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The operand pairs of a sum of products are written by four functions, for E = Bf16Pair and the
// processor's own:
//
//   pairs_along_row      y[i] = x[2 i], x[2 i + 1] for n elements of x
//   pairs_along_columns  y [rows / 2, columns]: of two neighbouring rows of x [rows, columns]
//   transposed_pairs     y [columns / 2, rows]: of two neighbouring columns of x [rows, columns]
//   pairs_of_columns     y [columns, rows / 2]: of two neighbouring rows of x [rows, columns]
//
// x is float or float16, rounded to nearest, or bfloat16; what an odd size lacks is zero.
// add_products<E>(d, a, b, sum) is the sum plus the products of both elements of each pair.
//
// For floats in vectors there are, for y of type E*:
//
//   store_pairs_along_row      a vector of pairs of the neighbours in x[0], x[1]
//   store_pairs_along_columns  two vectors of pairs of upper[i] with lower[i]

inline bfloat16 to_bfloat16(float x) { return bfloat16(x); }
inline bfloat16 to_bfloat16(bfloat16 x) { return x; }
inline bfloat16 to_bfloat16(float16 x) { return bfloat16(static_cast<float>(x)); }

template <class T>
void pairs_along_row(std::int64_t n, const T* x, Bf16Pair* y) {
  for (std::int64_t i = 0; i < n; i += 2) {
    y[i / 2] = {to_bfloat16(x[i]), i + 1 < n ? to_bfloat16(x[i + 1]) : bfloat16()};
  }
}

template <class T>
void pairs_along_columns(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx,
                         Bf16Pair* y, std::int64_t ldy) {
  for (std::int64_t i = 0; i < rows; i += 2) {
    const T* row = x + i * ldx;
    for (std::int64_t j = 0; j < columns; ++j) {
      y[i / 2 * ldy + j] = {to_bfloat16(row[j]),
                            i + 1 < rows ? to_bfloat16(row[ldx + j]) : bfloat16()};
    }
  }
}

template <class T>
void transposed_pairs(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx,
                      Bf16Pair* y, std::int64_t ldy) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* row = x + i * ldx;
    for (std::int64_t j = 0; j < columns; j += 2) {
      y[j / 2 * ldy + i] = {to_bfloat16(row[j]),
                            j + 1 < columns ? to_bfloat16(row[j + 1]) : bfloat16()};
    }
  }
}

template <class D>
using TwoVectors = hn::Vec<D>[2];

// x rounded to bfloat16, the bits of which are the upper half of each lane.
template <class D, class V>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> upper_halves(D, V x) {
  const hn::RebindToUnsigned<D> u;
  const auto bits = hn::BitCast(u, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(u, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(u, 0x7fff)));
  const auto nan = hn::VecFromMask(u, hn::RebindMask(u, hn::Ne(x, x)));
  return hn::And(hn::Or(rounded, nan), hn::Set(u, 0xffff0000u));
}

template <class D, class V>
HWY_INLINE void store_pairs(D d, V first, V second, Bf16Pair* y) {
  const auto pairs = hn::Or(hn::ShiftRight<16>(upper_halves(d, first)), upper_halves(d, second));
  hn::StoreU(hn::BitCast(d, pairs), d, &y->bits);
}

template <class D>
HWY_INLINE void store_pairs_along_row(D d, const TwoVectors<D>& x, Bf16Pair* y) {
#if HWY_TARGET == HWY_SCALAR
  store_pairs(d, x[0], x[1], y);
#else
  store_pairs(d, hn::ConcatEven(d, x[1], x[0]), hn::ConcatOdd(d, x[1], x[0]), y);
#endif
}

template <class D>
HWY_INLINE void store_pairs_along_columns(D d, const TwoVectors<D>& upper,
                                          const TwoVectors<D>& lower, Bf16Pair* y) {
  store_pairs(d, upper[0], lower[0], y);
  store_pairs(d, upper[1], lower[1], y + hn::Lanes(d));
}

template <class T>
void pairs_of_columns(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx,
                      Bf16Pair* y, std::int64_t ldy) {
  for (std::int64_t i = 0; i < rows; i += 2) {
    const T* row = x + i * ldx;
    for (std::int64_t j = 0; j < columns; ++j) {
      y[j * ldy + i / 2] = {to_bfloat16(row[j]),
                            i + 1 < rows ? to_bfloat16(row[ldx + j]) : bfloat16()};
    }
  }
}

template <class E, class D, class V>
HWY_INLINE V add_products(D d, V a, V b, V sum) {
  const hn::RebindToUnsigned<D> bits;
  const auto first = [&](V pair) HWY_ATTR {
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(bits, pair)));
  };
  const auto second = [&](V pair) HWY_ATTR {
    return hn::BitCast(d, hn::And(hn::BitCast(bits, pair), hn::Set(bits, 0xffff0000u)));
  };
  return hn::MulAdd(first(a), first(b), hn::MulAdd(second(a), second(b), sum));
}

#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3

// Pairs that the processor multiplies. The instructions are written as assembly: Highway 1.0.3 has
// no target with them, and a function for them alone would not be inlined into those of its
// targets.
struct NativeBf16Pair : Bf16Pair {
  using Bf16Pair::Bf16Pair;
};

inline bool has_bf16_products() {
  static const bool has = (__builtin_cpu_init(), __builtin_cpu_supports("avx512bf16"));
  return has;
}

using PairTag = hn::ScalableTag<float>;
using PairVector = hn::Vec<PairTag>;

// Subnormal numbers count as zeros.
template <>
HWY_INLINE PairVector add_products<NativeBf16Pair>(PairTag, PairVector a, PairVector b,
                                                   PairVector sum) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}

// 32 numbers, those of `low` first.
HWY_INLINE __m512i to_bf16(__m512 low, __m512 high) {
  __m512i result;
  asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(result) : "v"(high), "v"(low));
  return result;
}

// 32 neighbouring elements.
HWY_INLINE __m512i load_bf16(const float* x) {
  return to_bf16(_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16));
}
HWY_INLINE __m512i load_bf16(const bfloat16* x) { return _mm512_loadu_si512(x); }
HWY_INLINE __m512i load_bf16(const float16* x) {
  const auto floats = [](const float16* y) HWY_ATTR {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(y)));
  };
  return to_bf16(floats(x), floats(x + 16));
}

// Of the 64 numbers of two vectors, in turn from each.
alignas(64) constexpr std::array<std::uint16_t, 64> kInTurn = [] {
  std::array<std::uint16_t, 64> order{};
  for (std::size_t i = 0; i < 64; ++i) {
    order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 32);
  }
  return order;
}();

HWY_INLINE void store_in_turn(__m512i a, __m512i b, NativeBf16Pair* y) {
  const __m512i lower = _mm512_load_si512(kInTurn.data());
  const __m512i upper = _mm512_load_si512(kInTurn.data() + 32);
  _mm512_storeu_si512(y, _mm512_permutex2var_epi16(a, lower, b));
  _mm512_storeu_si512(y + 16, _mm512_permutex2var_epi16(a, upper, b));
}

HWY_INLINE void store_pairs_along_row(PairTag, const TwoVectors<PairTag>& x, NativeBf16Pair* y) {
  _mm512_storeu_si512(y, to_bf16(x[0].raw, x[1].raw));
}

HWY_INLINE void store_pairs_along_columns(PairTag, const TwoVectors<PairTag>& upper,
                                          const TwoVectors<PairTag>& lower, NativeBf16Pair* y) {
  store_in_turn(to_bf16(upper[0].raw, upper[1].raw), to_bf16(lower[0].raw, lower[1].raw), y);
}

template <class T>
void pairs_along_row(std::int64_t n, const T* x, NativeBf16Pair* y) {
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) _mm512_storeu_si512(y + i / 2, load_bf16(x + i));
  pairs_along_row(n - i, x + i, static_cast<Bf16Pair*>(y + i / 2));
}

template <class T>
void pairs_along_columns(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx,
                         NativeBf16Pair* y, std::int64_t ldy) {
  const std::int64_t whole_rows = rows / 2 * 2, whole_columns = columns / 32 * 32;
  for (std::int64_t i = 0; i < whole_rows; i += 2) {
    const T* row = x + i * ldx;
    NativeBf16Pair* to = y + i / 2 * ldy;
    for (std::int64_t j = 0; j < whole_columns; j += 32) {
      const __m512i a = load_bf16(row + j), b = load_bf16(row + ldx + j);
      store_in_turn(a, b, to + j);
    }
  }
  Bf16Pair* rest = y;
  pairs_along_columns(whole_rows, columns - whole_columns, x + whole_columns, ldx,
                      rest + whole_columns, ldy);
  pairs_along_columns(rows - whole_rows, columns, x + whole_rows * ldx, ldx,
                      rest + whole_rows / 2 * ldy, ldy);
}

// The transpose of 16 rows of 16 lanes each.
HWY_INLINE void transpose_lanes(__m512 (&rows)[16]) {
  __m512 pairs[16], blocks[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  // Block 4 g + c: the columns c, 4 + c, 8 + c, 12 + c of rows 4 g to 4 g + 3.
  for (int i = 0; i < 16; i += 4) {
    blocks[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    blocks[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    blocks[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    blocks[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
  for (int c = 0; c < 4; ++c) {
    const auto quarters = [&](int first, int which) HWY_ATTR {
      return which == 0 ? _mm512_shuffle_f32x4(blocks[first + c], blocks[first + 4 + c], 0x88)
                        : _mm512_shuffle_f32x4(blocks[first + c], blocks[first + 4 + c], 0xdd);
    };
    const __m512 even = quarters(0, 0), odd = quarters(0, 1);
    const __m512 next_even = quarters(8, 0), next_odd = quarters(8, 1);
    rows[c] = _mm512_shuffle_f32x4(even, next_even, 0x88);
    rows[4 + c] = _mm512_shuffle_f32x4(odd, next_odd, 0x88);
    rows[8 + c] = _mm512_shuffle_f32x4(even, next_even, 0xdd);
    rows[12 + c] = _mm512_shuffle_f32x4(odd, next_odd, 0xdd);
  }
}

template <class T>
void transposed_pairs(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t ldx,
                      NativeBf16Pair* y, std::int64_t ldy) {
  const std::int64_t whole_rows = rows / 16 * 16, whole_columns = columns / 32 * 32;
  for (std::int64_t i = 0; i < whole_rows; i += 16) {
    for (std::int64_t j = 0; j < whole_columns; j += 32) {
      __m512 block[16];
      for (int r = 0; r < 16; ++r) {
        block[r] = _mm512_castsi512_ps(load_bf16(x + (i + r) * ldx + j));
      }
      transpose_lanes(block);
      for (int c = 0; c < 16; ++c) _mm512_storeu_ps(y + (j / 2 + c) * ldy + i, block[c]);
    }
  }
  Bf16Pair* rest = y;
  transposed_pairs(whole_rows, columns - whole_columns, x + whole_columns, ldx,
                   rest + whole_columns / 2 * ldy, ldy);
  transposed_pairs(rows - whole_rows, columns, x + whole_rows * ldx, ldx, rest + whole_rows, ldy);
}

inline void pairs_of_columns(std::int64_t rows, std::int64_t columns, const float* x,
                             std::int64_t ldx, NativeBf16Pair* y, std::int64_t ldy) {
  alignas(64) std::uint16_t order[32];  // of two rows of 16 numbers, in turn from each
  for (std::uint16_t i = 0; i < 32; ++i) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 16);
  const __m512i in_turn = _mm512_load_si512(order);
  const std::int64_t whole_rows = rows / 32 * 32, whole_columns = columns / 16 * 16;
  for (std::int64_t i = 0; i < whole_rows; i += 32) {
    for (std::int64_t j = 0; j < whole_columns; j += 16) {
      __m512 block[16];
      for (int r = 0; r < 16; ++r) {
        const float* row = x + (i + 2 * r) * ldx + j;
        const __m512i both = to_bf16(_mm512_loadu_ps(row), _mm512_loadu_ps(row + ldx));
        block[r] = _mm512_castsi512_ps(_mm512_permutexvar_epi16(in_turn, both));
      }
      transpose_lanes(block);
      for (int c = 0; c < 16; ++c) _mm512_storeu_ps(y + (j + c) * ldy + i / 2, block[c]);
    }
  }
  Bf16Pair* rest = y;
  pairs_of_columns(whole_rows, columns - whole_columns, x + whole_columns, ldx,
                   rest + whole_columns * ldy, ldy);
  pairs_of_columns(rows - whole_rows, columns, x + whole_rows * ldx, ldx, rest + whole_rows / 2,
                   ldy);
}

#else

using NativeBf16Pair = Bf16Pair;
inline bool has_bf16_products() { return false; }

#endif

}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
