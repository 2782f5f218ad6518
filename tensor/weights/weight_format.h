// What a storage type has to know to be used for weights.
#pragma once

#include "gladius/tensor/tensor.h"

namespace gladius {

/// How matrices [N, K] of one storage type are read. Stateless: one object serves all threads.
class WeightFormat {
 public:
  virtual ~WeightFormat() = default;
  /// F32 or F64.
  virtual Dtype activation_dtype() const = 0;
  virtual bool is_trainable() const = 0;
  /// y [M, N] = x [M, K] W^T, for y contiguous.
  virtual void multiply(const Tensor& weight, const Tensor& x, Tensor& y) const = 0;
  /// y [M, K] = g [M, N] W, for y contiguous.
  virtual void multiply_transposed(const Tensor& weight, const Tensor& g, Tensor& y) const = 0;
  /// y [T, K] = the rows `ids` [T], all contiguous.
  virtual void rows(const Tensor& weight, const Tensor& ids, Tensor& y) const = 0;
};

/// The format of a type, or null: the one table of them.
const WeightFormat* find_weight_format(Dtype dtype);

}  // namespace gladius
