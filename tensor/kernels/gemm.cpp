#include "gladius/tensor/kernels/gemm.h"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/kernels/blas_core_type.h"
#include "gladius/tensor/kernels/dot_rows.h"
#include "gladius/tensor/kernels/packed_gemm.h"
#include "gladius/tensor/pool.h"

namespace gladius::kernels {
namespace {

// Elements of C from which on it is not kept in the caches (512 KiB of floats): what is smaller may
// belong to a model that they hold whole.
constexpr std::int64_t kLargeOutput = 1 << 17;

// For a call of BLAS: what it needs once a program, at the first of them.
void use_blas() {
  detail::use_pool();
  [[maybe_unused]] static const bool kernels_are_chosen = (choose_blas_kernels(), true);
}

void blas_gemm(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, blasint m, blasint n, blasint k,
               float alpha, const float* a, blasint lda, const float* b, blasint ldb, float beta,
               float* c, blasint ldc) {
  use_blas();
  cblas_sgemm(CblasRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void blas_gemm(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, blasint m, blasint n, blasint k,
               double alpha, const double* a, blasint lda, const double* b, blasint ldb,
               double beta, double* c, blasint ldc) {
  use_blas();
  cblas_dgemm(CblasRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void blas_gemv(CBLAS_TRANSPOSE trans, blasint rows, blasint columns, float alpha, const float* a,
               blasint lda, const float* x, blasint incx, float beta, float* y, blasint incy) {
  use_blas();
  cblas_sgemv(CblasRowMajor, trans, rows, columns, alpha, a, lda, x, incx, beta, y, incy);
}

void blas_gemv(CBLAS_TRANSPOSE trans, blasint rows, blasint columns, double alpha, const double* a,
               blasint lda, const double* x, blasint incx, double beta, double* y, blasint incy) {
  use_blas();
  cblas_dgemv(CblasRowMajor, trans, rows, columns, alpha, a, lda, x, incx, beta, y, incy);
}

blasint blas_size(const char* name, std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<blasint>::max()) {
    throw ShapeError(fmt::format("gemm: {} = {} is not within 0 .. {}", name, value,
                                 std::numeric_limits<blasint>::max()));
  }
  return static_cast<blasint>(value);
}

// The stride of `rows` rows of `columns` each; BLAS wants it positive even where nothing is read.
blasint blas_stride(const char* name, std::int64_t stride, std::int64_t columns) {
  if (stride < columns) {
    throw ShapeError(
        fmt::format("gemm: {} = {} is less than a row of {} elements", name, stride, columns));
  }
  return std::max<blasint>(blas_size(name, stride), 1);
}

CBLAS_TRANSPOSE blas_transpose(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

template <class T>
void scale_rows(std::int64_t m, std::int64_t n, T beta, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i) {
    T* row = c + i * ldc;
    for (std::int64_t j = 0; j < n; ++j) row[j] = beta == T{0} ? T{0} : beta * row[j];
  }
}

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
          const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
          std::int64_t ldc, [[maybe_unused]] bool to_memory) {
  const blasint rows = blas_size("m", m);
  const blasint columns = blas_size("n", n);
  const blasint inner = blas_size("k", k);
  const blasint stride_a = blas_stride("lda", lda, trans_a ? m : k);
  const blasint stride_b = blas_stride("ldb", ldb, trans_b ? k : n);
  const blasint stride_c = blas_stride("ldc", ldc, n);
  if (m == 0 || n == 0) return;
  if (k == 0 || alpha == T{0}) return scale_rows(m, n, beta, c, ldc);

  // A product with one column streams the matrix, which gemm would first copy into panels.
  if (n == 1) {
    const blasint step_b = trans_b ? 1 : stride_b;
    return trans_a ? blas_gemv(CblasTrans, inner, rows, alpha, a, stride_a, b, step_b, beta, c,
                               stride_c)
                   : blas_gemv(CblasNoTrans, rows, inner, alpha, a, stride_a, b, step_b, beta, c,
                               stride_c);
  }
  // What linear layers and their gradients do. BLAS keeps doubles and scaled products.
  if constexpr (std::is_same_v<T, float>) {
    if (alpha == 1 && beta == 0 && !trans_a && trans_b && m <= kDotRows) {
      return parallel_dot_rows(m, n, k, a, lda, b, ldb, c, ldc);
    }
    if (alpha == 1 && (beta == 0 || beta == 1)) {
      return packed_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, beta == 1,
                         to_memory && m * n >= kLargeOutput);
    }
  }
  blas_gemm(blas_transpose(trans_a), blas_transpose(trans_b), rows, columns, inner, alpha, a,
            stride_a, b, stride_b, beta, c, stride_c);
}

template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*,
                   std::int64_t, const float*, std::int64_t, float, float*, std::int64_t, bool);
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, double, const double*,
                   std::int64_t, const double*, std::int64_t, double, double*, std::int64_t, bool);

}  // namespace gladius::kernels
