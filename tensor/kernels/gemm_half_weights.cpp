#include "gladius/tensor/kernels/gemm_half_weights.h"

#include <algorithm>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/dot_rows.h"
#include "gladius/tensor/kernels/packed_gemm.h"

namespace gladius::kernels {

template <class W>
void gemm_half_weights(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const W* w,
                       float* y) {
  if (k == 0) {
    std::fill_n(y, m * n, 0.0f);
    return;
  }
  if (m <= kDotRows) return parallel_dot_rows(m, n, k, x, k, w, k, y, n);
  packed_gemm(false, true, m, n, k, x, k, w, k, y, n, false, false);
}

template void gemm_half_weights(std::int64_t, std::int64_t, std::int64_t, const float*,
                                const bfloat16*, float*);
template void gemm_half_weights(std::int64_t, std::int64_t, std::int64_t, const float*,
                                const float16*, float*);

}  // namespace gladius::kernels
