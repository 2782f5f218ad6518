#include "gladius/tensor/kernels/gemm.h"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/blas_core_type.h"
#include "gladius/tensor/kernels/gemm_packed.h"
#include "gladius/tensor/kernels/gemv.h"
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

// What computes a product.
enum class Path { gemv, gemm_packed, blas_gemv, blas_gemm };

// The first row of this table that fits, by measurement (bench/tensor/kernels/gemm_bench.cpp):
//
//   W        n    m     op(A)    op(B)       alpha  beta    path
//   T        1    any   any      any         any    any     blas_gemv: gemm would pack A first
//   not F64  any  <= 5  A        transposed  1      0       gemv: reads B once
//   not F64  any  any   any      any         1      0 or 1  gemm_packed
//   T        any  any   any      any         any    any     blas_gemm
//
// The second and third row are what linear layers and their gradients do. BLAS keeps doubles and
// scaled products.
template <class T, class W>
Path path_of(std::int64_t m, std::int64_t n, const GemmOptions& options) {
  const bool replaces = options.alpha == 1 && options.beta == 0;
  const bool adds = options.alpha == 1 && options.beta == 1;
  if (std::is_same_v<T, W> && n == 1) return Path::blas_gemv;
  if (std::is_same_v<T, float>) {
    const bool is_linear = !options.transpose_a && options.transpose_b;
    if (replaces && is_linear && m <= kGemvRows) return Path::gemv;
    if (replaces || adds) return Path::gemm_packed;
  }
  if (!std::is_same_v<T, W>) {
    throw ShapeError(
        fmt::format("gemm: alpha = {} and beta = {}: 16-bit numbers are multiplied "
                    "with alpha = 1 and beta = 0 or 1",
                    options.alpha, options.beta));
  }
  return Path::blas_gemm;
}

}  // namespace

template <class T, class W>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const W* b,
          std::int64_t ldb, T* c, std::int64_t ldc, const GemmOptions& options) {
  const blasint rows = blas_size("m", m);
  const blasint columns = blas_size("n", n);
  const blasint inner = blas_size("k", k);
  const blasint stride_a = blas_stride("lda", lda, options.transpose_a ? m : k);
  const blasint stride_b = blas_stride("ldb", ldb, options.transpose_b ? k : n);
  const blasint stride_c = blas_stride("ldc", ldc, n);
  const T alpha = static_cast<T>(options.alpha), beta = static_cast<T>(options.beta);
  if (m == 0 || n == 0) return;
  if (k == 0 || alpha == T{0}) return scale_rows(m, n, beta, c, ldc);

  const Path path = path_of<T, W>(m, n, options);
  if constexpr (std::is_same_v<T, float>) {
    if (path == Path::gemv) return parallel_gemv(m, n, k, a, lda, b, ldb, c, ldc);
    if (path == Path::gemm_packed) {
      GemmOptions packed = options;
      packed.stream = options.stream && m * n >= kLargeOutput;
      return gemm_packed(m, n, k, a, lda, b, ldb, c, ldc, packed);
    }
  }
  if constexpr (std::is_same_v<T, W>) {
    if (path == Path::blas_gemm) {
      return blas_gemm(blas_transpose(options.transpose_a), blas_transpose(options.transpose_b),
                       rows, columns, inner, alpha, a, stride_a, b, stride_b, beta, c, stride_c);
    }
    // A [rows, inner] times the one column of B.
    const blasint step_b = options.transpose_b ? 1 : stride_b;
    return options.transpose_a ? blas_gemv(CblasTrans, inner, rows, alpha, a, stride_a, b, step_b,
                                           beta, c, stride_c)
                               : blas_gemv(CblasNoTrans, rows, inner, alpha, a, stride_a, b, step_b,
                                           beta, c, stride_c);
  }
}

template void gemm(std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t,
                   const float*, std::int64_t, float*, std::int64_t, const GemmOptions&);
template void gemm(std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t,
                   const double*, std::int64_t, double*, std::int64_t, const GemmOptions&);
template void gemm(std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t,
                   const bfloat16*, std::int64_t, float*, std::int64_t, const GemmOptions&);
template void gemm(std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t,
                   const float16*, std::int64_t, float*, std::int64_t, const GemmOptions&);

}  // namespace gladius::kernels
