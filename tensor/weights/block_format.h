// Weights whose elements are quantised in blocks.
#pragma once

#include "gladius/tensor/weights/weight_format.h"

namespace gladius {

/// Any quantised Dtype, with F32 activations. Few rows are multiplied by rows of the weight as they
/// are read, many by panels of rows that are turned into integers (K types) or numbers first, so
/// that the matrix as numbers is never whole in memory. Frozen.
class BlockFormat final : public WeightFormat {
 public:
  Dtype activation_dtype() const override { return Dtype::F32; }
  bool is_trainable() const override { return false; }
  void multiply(const Tensor& weight, const Tensor& x, Tensor& y) const override;
  void multiply_transposed(const Tensor& weight, const Tensor& g, Tensor& y) const override;
  void rows(const Tensor& weight, const Tensor& ids, Tensor& y) const override;
};

}  // namespace gladius
