#include "gladius/tensor/kernels/short_gemm.h"

#include <algorithm>

#include "gladius/tensor/kernels/block_gemm.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {
namespace {

// Rows of the large matrix that are read or written side by side: few enough for the processor to
// fetch them all ahead.
constexpr std::int64_t kBand = 24;
// Elements of the large matrix that are worth a thread of their own.
constexpr std::int64_t kGrain = 1 << 16;
// Columns of one share start at a line of the cache.
constexpr std::int64_t kColumns = 64;

std::int64_t padded(std::int64_t rows) { return ceil_div(rows, 16) * 16; }

struct TransposedScratch;
struct BandScratch;

// x [m, k] -> [k, padded(m)], with zeros for the rows that are not there.
template <class T>
const T* transposed(std::int64_t m, std::int64_t k, const T* x, std::int64_t ldx) {
  const std::int64_t width = padded(m);
  T* result = thread_scratch<TransposedScratch, T>(static_cast<std::size_t>(k * width));
  transpose_padded(m, k, x, ldx, result, width);
  return result;
}

// The products of rows [begin, end) of w, with x as transposed() gives it.
template <class T>
void multiply_rows(std::int64_t m, std::int64_t k, const T* x, const T* w, std::int64_t ldw, T* y,
                   std::int64_t ldy, std::int64_t begin, std::int64_t end) {
  const std::int64_t width = padded(m);
  T* products = thread_scratch<BandScratch, T>(static_cast<std::size_t>(kBand * width));
  for (std::int64_t j = begin; j < end; j += kBand) {
    const std::int64_t rows = std::min(kBand, end - j);
    block_gemm(rows, width, k, w + j * ldw, ldw, 1, x, width, products, width, false);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t r = 0; r < rows; ++r) y[i * ldy + j + r] = products[r * width + i];
    }
  }
}

}  // namespace

template <class T>
void short_gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx,
                   const T* w, std::int64_t ldw, T* y, std::int64_t ldy) {
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
                   const T* x, std::int64_t ldx, T* w, std::int64_t ldw) {
  const std::int64_t bands = ceil_div(m, kBand);
  parallel_for(bands, kGrain / (kBand * std::max<std::int64_t>(n, 1)) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin * kBand; i < std::min(end * kBand, m); i += kBand) {
                   block_gemm(std::min(kBand, m - i), n, k, y + i, 1, ldy, x, ldx, w + i * ldw, ldw,
                              false);
                 }
               });
}

#define INSTANTIATE(T)                                                                          \
  template void short_gemm_nt(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, \
                              const T*, std::int64_t, T*, std::int64_t);                        \
  template void short_gemm_nn(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, \
                              const T*, std::int64_t, T*, std::int64_t, bool);                  \
  template void short_gemm_tn(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, \
                              const T*, std::int64_t, T*, std::int64_t)
INSTANTIATE(float);
INSTANTIATE(double);
#undef INSTANTIATE

}  // namespace gladius::kernels
