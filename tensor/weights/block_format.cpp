#include "gladius/tensor/weights/block_format.h"

#include <algorithm>

#include "gladius/tensor/kernels/blocks.h"
#include "gladius/tensor/kernels/gemm_packed.h"
#include "gladius/tensor/matmul.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/precision.h"
#include "gladius/tensor/quantized.h"

namespace gladius {
namespace {

// For at most so many rows of x it is faster to multiply rows of the weight as they are read.
constexpr std::int64_t kFewRows = 16;
// Numbers of a panel: 4 MiB, which the caches hold until the product has read them.
constexpr std::int64_t kPanelElements = 1 << 20;

std::int64_t row_bytes(const Tensor& weight) {
  return static_cast<std::int64_t>(dtype_bytes(weight.dtype(), weight.strides()[0]));
}

// Calls f(first row, [rows, K] of numbers) for panels of the weight [N, K], one after another.
template <class F>
void for_panels(const Tensor& weight, F f) {
  const std::int64_t N = weight.size(0), K = std::max<std::int64_t>(weight.size(1), 1);
  const std::int64_t rows = std::max<std::int64_t>(kPanelElements / K / 64 * 64, 64);
  for (std::int64_t j = 0; j < N; j += rows) {
    f(j, dequantize(weight.narrow(0, j, std::min(rows, N - j))));
  }
}

}  // namespace

void BlockFormat::multiply(const Tensor& weight, const Tensor& x, Tensor& y) const {
  if (y.numel() == 0) return;
  const Tensor dense = x.contiguous();
  const std::int64_t M = x.size(0), N = weight.size(0), K = weight.size(1);
  if (K == 0) {
    y.fill_(0);
    return;
  }
  if (M <= kFewRows) {
    return kernels::block_gemv(weight.dtype(), M, N, K, dense.data<float>(), K, weight.raw_data(),
                               row_bytes(weight), y.data<float>(), N);
  }
  const Precision precision = product_precision();
  if (kernels::is_k_type(weight.dtype()) && precision == Precision::f32) {
    return kernels::block_gemm(weight.dtype(), M, N, K, dense.data<float>(), K, weight.raw_data(),
                               row_bytes(weight), y.data<float>(), N);
  }
  kernels::gemm_packed_blocks(weight.dtype(), M, N, K, dense.data<float>(), K, weight.raw_data(),
                              row_bytes(weight), y.data<float>(), N, precision);
}

void BlockFormat::multiply_transposed(const Tensor& weight, const Tensor& g, Tensor& y) const {
  y.fill_(0);
  for_panels(weight, [&](std::int64_t j, const Tensor& panel) {
    matmul_into(y, g.narrow(1, j, panel.size(0)), panel, {.accumulate = true});
  });
}

void BlockFormat::rows(const Tensor& weight, const Tensor& ids, Tensor& y) const {
  const std::int64_t K = weight.size(1), stride = row_bytes(weight);
  const auto* id = ids.data<std::int64_t>();
  parallel_for(ids.numel(), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      kernels::dequantize(weight.dtype(), weight.raw_data() + id[i] * stride,
                          y.data<float>() + i * K, K);
    }
  });
}

}  // namespace gladius
