// Products in which one side is short: a few rows of activations with a large weight, and the
// gradients of both. Private to the gemm kernels.
//
// Bound: the bytes of the large matrix, once, at the memory's rate, or 2*m*n*k operations at the
// rate of a large sgemm, whichever takes longer. BLAS copies the large matrix into panels first and
// moves it three times.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// By measurement beside OpenBLAS on a 2-core Emerald Rapids: up to how many tokens they are
/// faster. (BLAS adds to a gradient as fast as short_gemm_tn, but writes one in twice the time.)
inline constexpr std::int64_t kShortNt = 128, kShortNn = 32, kShortTn = 64;

// All run on all threads (on the calling one within a parallel_for) for T = float and double; the
// results do not depend on the number of threads. Rows are `ld*` elements apart.

/// y [m, n] = x [m, k] * w^T, w [n, k].
template <class T>
void short_gemm_nt(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx,
                   const T* w, std::int64_t ldw, T* y, std::int64_t ldy);

/// y [m, n] = x [m, k] * w [k, n], or y += with `accumulate`.
template <class T>
void short_gemm_nn(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, std::int64_t ldx,
                   const T* w, std::int64_t ldw, T* y, std::int64_t ldy, bool accumulate);

/// w [m, n] = y^T x, y [k, m] and x [k, n].
template <class T>
void short_gemm_tn(std::int64_t m, std::int64_t n, std::int64_t k, const T* y, std::int64_t ldy,
                   const T* x, std::int64_t ldx, T* w, std::int64_t ldw);

}  // namespace gladius::kernels
