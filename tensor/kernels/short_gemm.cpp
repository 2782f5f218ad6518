#include "gladius/tensor/kernels/short_gemm.h"

#include <algorithm>
#include <type_traits>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/block_gemm.h"
#include "gladius/tensor/kernels/convert.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {
namespace {

// Rows of the large matrix that are read or written side by side, and how far of each at a time:
// few enough for the processor to fetch them all ahead.
constexpr std::int64_t kBand = 24;
constexpr std::int64_t kInner = 64;
// Elements of the large matrix that are worth a thread of their own.
constexpr std::int64_t kGrain = 1 << 16;
// Columns of one share start at a line of the cache.
constexpr std::int64_t kColumns = 64;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t padded(std::int64_t rows) { return ceil_div(rows, 16) * 16; }

struct TransposedScratch;
struct BandScratch;

// x [m, k] -> [k, padded(m)], with zeros for the rows that are not there.
template <class T>
const T* transposed(std::int64_t m, std::int64_t k, const T* x, std::int64_t ldx) {
  const std::int64_t width = padded(m);
  T* result = thread_scratch<TransposedScratch, T>(static_cast<std::size_t>(k * width));
  for (std::int64_t p = 0; p < k; ++p) {
    T* row = result + p * width;
    for (std::int64_t i = 0; i < m; ++i) row[i] = x[i * ldx + p];
    std::fill(row + m, row + width, T{0});
  }
  return result;
}

// The products of rows [begin, end) of w, with x as transposed() gives it.
template <class T, class W>
void multiply_rows(std::int64_t m, std::int64_t k, const T* x, const W* w, std::int64_t ldw, T* y,
                   std::int64_t ldy, std::int64_t begin, std::int64_t end) {
  const std::int64_t width = padded(m);
  T* products = thread_scratch<BandScratch, T>(static_cast<std::size_t>(kBand * (width + kInner)));
  [[maybe_unused]] T* converted = products + kBand * width;
  for (std::int64_t j = begin; j < end; j += kBand) {
    const std::int64_t rows = std::min(kBand, end - j);
    for (std::int64_t p = 0; p == 0 || p < k; p += kInner) {
      const std::int64_t inner = std::min(kInner, k - p);
      const W* part = w + j * ldw + p;
      if constexpr (std::is_same_v<T, W>) {
        block_gemm(rows, width, inner, part, ldw, 1, x + p * width, width, products, width, p > 0);
      } else {
        for (std::int64_t r = 0; r < rows; ++r) {
          convert(part + r * ldw, converted + r * kInner, inner);
        }
        block_gemm(rows, width, inner, static_cast<const T*>(converted), kInner, 1, x + p * width,
                   width, products, width, p > 0);
      }
    }
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t r = 0; r < rows; ++r) y[i * ldy + j + r] = products[r * width + i];
    }
  }
}

}  // namespace

template <class T, class W>
void short_gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx,
                   const W* w, std::int64_t ldw, T* y, std::int64_t ldy) {
  const T* columns = transposed(m, k, x, ldx);
  // Whole bands, so that what a row is multiplied in does not depend on the threads.
  const std::int64_t bands = ceil_div(n, kBand);
  parallel_for(bands, kGrain / (kBand * std::max<std::int64_t>(k, 1)) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 multiply_rows(m, k, columns, w, ldw, y, ldy, begin * kBand,
                               std::min(end * kBand, n));
               });
}

template <class T>
void short_gemm_nn(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx,
                   const T* w, std::int64_t ldw, T* y, std::int64_t ldy, bool accumulate) {
  parallel_for(ceil_div(n, kColumns), kGrain / (kColumns * std::max<std::int64_t>(k, 1)) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 const std::int64_t j = begin * kColumns;
                 const std::int64_t columns = std::min(end * kColumns, n) - j;
                 for (std::int64_t p = 0; p == 0 || p < k; p += kBand) {
                   block_gemm(m, columns, std::min(kBand, k - p), x + p, ldx, 1, w + p * ldw + j,
                              ldw, y + j, ldy, accumulate || p > 0);
                 }
               });
}

template <class T>
void short_gemm_tn(std::int64_t m, std::int64_t n, std::int64_t k, const T* y, std::int64_t ldy,
                   const T* x, std::int64_t ldx, T* w, std::int64_t ldw, bool accumulate) {
  const std::int64_t bands = ceil_div(m, kBand);
  parallel_for(bands, kGrain / (kBand * std::max<std::int64_t>(n, 1)) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin * kBand; i < std::min(end * kBand, m); i += kBand) {
                   block_gemm(std::min(kBand, m - i), n, k, y + i, 1, ldy, x, ldx, w + i * ldw, ldw,
                              accumulate);
                 }
               });
}

#define INSTANTIATE_NT(T, W)                                                                    \
  template void short_gemm_nt(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, \
                              const W*, std::int64_t, T*, std::int64_t)
INSTANTIATE_NT(float, float);
INSTANTIATE_NT(float, bfloat16);
INSTANTIATE_NT(float, float16);
INSTANTIATE_NT(double, double);
#undef INSTANTIATE_NT

#define INSTANTIATE(f, T)                                                                     \
  template void f(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, const T*, \
                  std::int64_t, T*, std::int64_t, bool)
INSTANTIATE(short_gemm_nn, float);
INSTANTIATE(short_gemm_nn, double);
INSTANTIATE(short_gemm_tn, float);
INSTANTIATE(short_gemm_tn, double);
#undef INSTANTIATE

}  // namespace gladius::kernels
