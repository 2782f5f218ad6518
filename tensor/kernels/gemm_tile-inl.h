// The inner loops of the kernels that multiply blocks. Compiled once a target (see Highway's
// foreach_target.h), hence no #pragma once.
#if defined(GLADIUS_TENSOR_KERNELS_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GLADIUS_TENSOR_KERNELS_GEMM_TILE_INL_H_
#undef GLADIUS_TENSOR_KERNELS_GEMM_TILE_INL_H_
#else
#define GLADIUS_TENSOR_KERNELS_GEMM_TILE_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "gladius/tensor/kernels/bf16_pair.h"
#include "gladius/tensor/kernels/bf16_pairs-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A tile of C that is summed up in registers: with a row of B and an element of A they must number
// less than 32 (AVX-512, Arm), or 16.
constexpr std::int64_t kTileRows = 6;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr std::int64_t kTileVectors = 4;
#else
constexpr std::int64_t kTileVectors = 2;
#endif

template <class T>
std::int64_t lanes() {
  return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

// A matrix whose element (i, p) is data[i * row + p * column].
template <class T>
struct Strided {
  T* data;
  std::int64_t row, column;
  T* at(std::int64_t i, std::int64_t p) const { return data + i * row + p * column; }
  Strided from(std::int64_t i, std::int64_t p) const { return {at(i, p), row, column}; }
};

// A matrix whose rows are contiguous and `ld` elements apart; no data stand for zeros.
template <class T>
struct Rows {
  T* data;
  std::int64_t ld;
  T* at(std::int64_t i, std::int64_t j) const { return data + i * ld + j; }
  Rows from(std::int64_t i, std::int64_t j) const { return data ? Rows{at(i, j), ld} : *this; }
};

template <class D, class E>
HWY_INLINE hn::Vec<D> load_terms(D d, const E* x) {
  return hn::LoadU(d, reinterpret_cast<const hn::TFromD<D>*>(x));
}
template <class D, class E>
HWY_INLINE hn::Vec<D> repeat_terms(D d, const E* x) {
  return hn::Set(d, *reinterpret_cast<const hn::TFromD<D>*>(x));
}
template <class E, class D, class V>
HWY_INLINE V add_terms(D d, V a, V b, V sum) {
  if constexpr (std::is_base_of_v<Bf16Pair, E>) {
    return add_products<E>(d, a, b, sum);
  } else {
    return hn::MulAdd(a, b, sum);
  }
}

// c = addend + a * b for Height rows of a and k rows of b, each Vectors vectors, of elements E.
// With Stream, c is aligned and written with streaming stores. The sums are in registers only where
// their loops are unrolled.
template <int Height, int Vectors, bool Stream = false, class E, class T = SumOf<E>>
HWY_INLINE void multiply_tile(std::int64_t k, Strided<const E> a, Rows<const E> b,
                              Rows<const T> addend, Rows<T> c) {
  const hn::ScalableTag<T> d;
  const std::int64_t width = lanes<T>();
  hn::Vec<decltype(d)> sums[Height][Vectors];
  for (auto& row : sums) {
    for (auto& sum : row) sum = hn::Zero(d);
  }
  for (std::int64_t p = 0; p < k; ++p) {
    hn::Vec<decltype(d)> columns[Vectors];
    for (int v = 0; v < Vectors; ++v) columns[v] = load_terms(d, b.at(p, v * width));
    for (int r = 0; r < Height; ++r) {
      const auto element = repeat_terms(d, a.at(r, p));
      for (int v = 0; v < Vectors; ++v) {
        sums[r][v] = add_terms<E>(d, element, columns[v], sums[r][v]);
      }
    }
  }
  HWY_UNROLL(kTileRows)
  for (int r = 0; r < Height; ++r) {
    HWY_UNROLL(kTileVectors)
    for (int v = 0; v < Vectors; ++v) {
      auto sum = sums[r][v];
      if (addend.data) sum = hn::Add(hn::LoadU(d, addend.at(r, v * width)), sum);
      if constexpr (Stream) {
        hn::Stream(sum, d, c.at(r, v * width));
      } else {
        hn::StoreU(sum, d, c.at(r, v * width));
      }
    }
  }
}

// The same for m rows. Calls before_tile(tile of c) for every tile of whole columns; if that
// returns true, a tile of all vectors is written with streaming stores.
template <int Vectors, class E, class T = SumOf<E>, class BeforeTile>
HWY_INLINE void multiply_vectors(std::int64_t m, std::int64_t k, Strided<const E> a,
                                 Rows<const E> b, Rows<const T> addend, Rows<T> c,
                                 BeforeTile before_tile) {
  std::int64_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows) {
    if (before_tile(c.from(i, 0)) && Vectors == kTileVectors) {
      multiply_tile<kTileRows, Vectors, true>(k, a.from(i, 0), b, addend.from(i, 0), c.from(i, 0));
    } else {
      multiply_tile<kTileRows, Vectors>(k, a.from(i, 0), b, addend.from(i, 0), c.from(i, 0));
    }
  }
  const auto rest = [&]<int Height>() HWY_ATTR {
    if (m - i == Height) {
      multiply_tile<Height, Vectors>(k, a.from(i, 0), b, addend.from(i, 0), c.from(i, 0));
    }
  };
  rest.template operator()<1>();
  rest.template operator()<2>();
  rest.template operator()<3>();
  rest.template operator()<4>();
  rest.template operator()<5>();
}

// The last columns, less than a vector: a tile at a time in memory of its own, which is whole
// vectors. Reads nothing beyond n columns of b.
template <class E, class T = SumOf<E>>
HWY_NOINLINE void multiply_last_columns(std::int64_t m, std::int64_t n, std::int64_t k,
                                        Strided<const E> a, Rows<const E> b, Rows<const T> addend,
                                        Rows<T> c) {
  constexpr std::int64_t inner = 64;
  const std::int64_t width = lanes<T>();
  HWY_ALIGN E row_memory[inner * HWY_MAX_BYTES / sizeof(E)] = {};
  HWY_ALIGN T sum_memory[kTileRows * HWY_MAX_BYTES / sizeof(T)];
  const Rows<E> rows{row_memory, width};
  const Rows<T> sums{sum_memory, width};
  std::int64_t p = 0;
  do {
    const std::int64_t depth = std::min(inner, k - p);
    for (std::int64_t q = 0; q < depth; ++q) std::copy_n(b.at(p + q, 0), n, rows.at(q, 0));
    for (std::int64_t i = 0; i < m; i += kTileRows) {
      const std::int64_t height = std::min(kTileRows, m - i);
      multiply_vectors<1, E>(height, depth, a.from(i, p), {row_memory, width}, {nullptr, 0}, sums,
                             [](Rows<T>) { return false; });
      for (std::int64_t r = 0; r < height; ++r) {
        for (std::int64_t j = 0; j < n; ++j) {
          *c.at(i + r, j) = (addend.data ? *addend.at(i + r, j) : T{0}) + *sums.at(r, j);
        }
      }
    }
    addend = {c.data, c.ld};
    p += inner;
  } while (p < k);
}

// c [m, n] = addend + a * b.
template <class E, class T = SumOf<E>, class BeforeTile>
HWY_INLINE void multiply_block(std::int64_t m, std::int64_t n, std::int64_t k, Strided<const E> a,
                               Rows<const E> b, Rows<const T> addend, Rows<T> c,
                               BeforeTile before_tile) {
  const std::int64_t width = lanes<T>();
  std::int64_t j = 0;
  for (; j + kTileVectors * width <= n; j += kTileVectors * width) {
    multiply_vectors<kTileVectors>(m, k, a, b.from(0, j), addend.from(0, j), c.from(0, j),
                                   before_tile);
  }
  for (; j + width <= n; j += width) {
    multiply_vectors<1>(m, k, a, b.from(0, j), addend.from(0, j), c.from(0, j), before_tile);
  }
  if (j < n) {
    multiply_last_columns(m, n - j, k, a, b.from(0, j), addend.from(0, j), c.from(0, j));
  }
}

}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
