#include "gladius/tensor/kernels/block_gemm.h"

#include <algorithm>

#include "gladius/tensor/kernels/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gladius/tensor/kernels/block_gemm.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h, once a target:
#include "gladius/tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gladius::kernels::HWY_NAMESPACE {
namespace {

// A tile of C that is summed up in registers: with a row of B and an element of A they must number
// less than 32 (AVX-512, Arm), or 16.
constexpr std::int64_t kRows = 6;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr std::int64_t kVectors = 4;
#else
constexpr std::int64_t kVectors = 2;
#endif
// Rows of B that one pass takes: with a tile's columns they stay in the first-level cache while the
// rows of A go by.
constexpr std::int64_t kInner = 64;

template <class T>
std::int64_t lanes() {
  return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

template <class T>
struct Operand {
  const T* data;
  std::int64_t row, column;
  const T* at(std::int64_t i, std::int64_t p) const { return data + i * row + p * column; }
};

// Rows rows by Vectors vectors of C.
template <int Rows, int Vectors, class T>
HWY_INLINE void multiply_tile(std::int64_t k, const Operand<T>& a, const T* b, std::int64_t ldb,
                              T* c, std::int64_t ldc, bool accumulate) {
  const hn::ScalableTag<T> d;
  const std::int64_t width = lanes<T>();
  hn::Vec<decltype(d)> sums[Rows][Vectors];
  for (auto& row : sums) {
    for (auto& sum : row) sum = hn::Zero(d);
  }
  for (std::int64_t p = 0; p < k; ++p, b += ldb) {
    hn::Vec<decltype(d)> columns[Vectors];
    for (int v = 0; v < Vectors; ++v) columns[v] = hn::LoadU(d, b + v * width);
    for (int r = 0; r < Rows; ++r) {
      const auto element = hn::Set(d, *a.at(r, p));
      for (int v = 0; v < Vectors; ++v) sums[r][v] = hn::MulAdd(element, columns[v], sums[r][v]);
    }
  }
  for (int r = 0; r < Rows; ++r, c += ldc) {
    for (int v = 0; v < Vectors; ++v) {
      T* to = c + v * width;
      hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, to), sums[r][v]) : sums[r][v], d, to);
    }
  }
}

// All rows of C, Vectors vectors of each.
template <int Vectors, class T>
void multiply_columns(std::int64_t m, std::int64_t k, Operand<T> a, const T* b, std::int64_t ldb,
                      T* c, std::int64_t ldc, bool accumulate) {
  for (; m >= kRows; m -= kRows, a.data += kRows * a.row, c += kRows * ldc) {
    multiply_tile<kRows, Vectors>(k, a, b, ldb, c, ldc, accumulate);
  }
  const auto rest = [&]<int Rows>() HWY_ATTR {
    if (m == Rows) multiply_tile<Rows, Vectors>(k, a, b, ldb, c, ldc, accumulate);
  };
  rest.template operator()<1>();
  rest.template operator()<2>();
  rest.template operator()<3>();
  rest.template operator()<4>();
  rest.template operator()<5>();
}

// The last columns, less than a vector: in memory of their own, which is whole vectors.
template <class T>
void multiply_last_columns(std::int64_t m, std::int64_t n, std::int64_t k, Operand<T> a, const T* b,
                           std::int64_t ldb, T* c, std::int64_t ldc, bool accumulate) {
  const std::int64_t width = lanes<T>();
  HWY_ALIGN T rows_of_b[kInner * HWY_MAX_BYTES / sizeof(T)] = {};
  HWY_ALIGN T rows_of_c[kRows * HWY_MAX_BYTES / sizeof(T)];
  for (std::int64_t p = 0; p < k; ++p) std::copy_n(b + p * ldb, n, rows_of_b + p * width);
  for (std::int64_t i = 0; i < m; i += kRows, a.data += kRows * a.row) {
    const std::int64_t rows = std::min(kRows, m - i);
    multiply_columns<1>(rows, k, a, rows_of_b, width, rows_of_c, width, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      T* to = c + (i + r) * ldc;
      for (std::int64_t j = 0; j < n; ++j) {
        to[j] = (accumulate ? to[j] : T{0}) + rows_of_c[r * width + j];
      }
    }
  }
}

template <class T>
void block_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t a_row,
                std::int64_t a_column, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                bool accumulate) {
  const std::int64_t width = lanes<T>();
  std::int64_t p = 0;
  do {  // once for k = 0, which may have to write zeros
    const std::int64_t inner = std::min(kInner, k - p);
    const Operand<T> part{a + p * a_column, a_row, a_column};
    const T* rows = b + p * ldb;
    std::int64_t j = 0;
    for (; j + kVectors * width <= n; j += kVectors * width) {
      multiply_columns<kVectors>(m, inner, part, rows + j, ldb, c + j, ldc, accumulate);
    }
    for (; j + width <= n; j += width) {
      multiply_columns<1>(m, inner, part, rows + j, ldb, c + j, ldc, accumulate);
    }
    if (j < n) {
      multiply_last_columns(m, n - j, inner, part, rows + j, ldb, c + j, ldc, accumulate);
    }
    accumulate = true;
    p += kInner;
  } while (p < k);
}

GLADIUS_SIMD_VERSIONS(block_gemm);

}  // namespace
}  // namespace gladius::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gladius::kernels {

GLADIUS_SIMD_EXPORT(block_gemm);

template <class T>
void block_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t a_row,
                std::int64_t a_column, const T* b, std::int64_t ldb, T* c, std::int64_t ldc,
                bool accumulate) {
  GLADIUS_SIMD_DISPATCH(block_gemm, T)
  (m, n, k, a, a_row, a_column, b, ldb, c, ldc, accumulate);
}

GLADIUS_INSTANTIATE(block_gemm);

}  // namespace gladius::kernels
#endif  // HWY_ONCE
