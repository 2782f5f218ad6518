#include "gladius/tensor/kernels/gemm_half_weights.h"

#include <algorithm>

#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/convert.h"
#include "gladius/tensor/kernels/dot_rows.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/parallel.h"

namespace gladius::kernels {
namespace {

// Rows of w in a panel, which should stay in the second-level cache between conversion and product.
constexpr std::int64_t kPanelRows = 256;

struct PanelScratch;

// All rows of x with the rows [begin, end) of w.
template <class W>
void multiply_panel(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const W* w,
                    float* y, std::int64_t begin, std::int64_t end) {
  float* panel = thread_scratch<PanelScratch, float>(static_cast<std::size_t>((end - begin) * k));
  convert(w + begin * k, panel, (end - begin) * k);
  gemm(false, true, m, end - begin, k, 1.0f, x, k, panel, k, 0.0f, y + begin, n);
}

}  // namespace

template <class W>
void gemm_half_weights(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const W* w,
                       float* y) {
  if (m <= kDotRows<W>) return parallel_dot_rows(m, n, k, x, k, w, k, y, n);
  // As many panels as make equal shares for all threads.
  const std::int64_t threads = num_threads();
  const std::int64_t panels = ceil_div(ceil_div(n, kPanelRows), threads) * threads;
  const std::int64_t rows =
      std::max<std::int64_t>(ceil_div(n, std::max<std::int64_t>(panels, 1)), 1);
  parallel_for(ceil_div(n, rows), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      multiply_panel(m, n, k, x, w, y, i * rows, std::min((i + 1) * rows, n));
    }
  });
}

template void gemm_half_weights(std::int64_t, std::int64_t, std::int64_t, const float*,
                                const bfloat16*, float*);
template void gemm_half_weights(std::int64_t, std::int64_t, std::int64_t, const float*,
                                const float16*, float*);

}  // namespace gladius::kernels
