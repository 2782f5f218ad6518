// Weights whose elements are floating-point numbers.
#pragma once

#include "gladius/tensor/kernels/embedding.h"
#include "gladius/tensor/matmul.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/weights/weight_format.h"

namespace gladius {

/// Elements of W that multiply activations of T: the same type, or 16 bits that become float
/// exactly.
template <class T, class W>
class DenseFormat final : public WeightFormat {
 public:
  Dtype activation_dtype() const override { return dtype_of<T>; }
  bool is_trainable() const override { return std::is_same_v<T, W>; }

  void multiply(const Tensor& weight, const Tensor& x, Tensor& y) const override {
    matmul_into(y, x, weight.transpose(0, 1));
  }

  void multiply_transposed(const Tensor& weight, const Tensor& g, Tensor& y) const override {
    matmul_into(y, g, weight);
  }

  void rows(const Tensor& weight, const Tensor& ids, Tensor& y) const override {
    const Tensor table = weight.contiguous();
    const std::int64_t C = table.size(1);
    parallel_for(ids.numel(), 64, [&](std::int64_t begin, std::int64_t end) {
      kernels::embedding(table.data<W>(), ids.data<std::int64_t>() + begin, y.data<T>() + begin * C,
                         end - begin, C);
    });
  }
};

}  // namespace gladius
