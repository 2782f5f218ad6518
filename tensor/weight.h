// Weights: the matrices of linear layers and embeddings, in the form in which they are stored.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius {

class WeightFormat;

/// A matrix [N, K] that activations are multiplied by and whose rows are looked up. Its format, one
/// for each storage type (tensor/weights/), knows how: no operation asks for the type itself. A
/// cheap handle that shares the tensor. All methods may be called from several threads.
class Weight {
 public:
  /// ShapeError for a tensor that is not a matrix, DtypeError for a type that has no format.
  explicit Weight(Tensor matrix);

  const Tensor& matrix() const { return matrix_; }
  const Shape& shape() const { return matrix_.shape(); }
  std::size_t nbytes() const { return matrix_.nbytes(); }
  /// The type of the activations that it multiplies, F32 or F64.
  Dtype activation_dtype() const;

  /// x W^T for x [..., K] -> [..., N]. ShapeError for other sizes, DtypeError for another type than
  /// activation_dtype(); likewise below.
  Tensor multiply(const Tensor& x) const;
  /// g W for g [..., N] -> [..., K]: the gradient of multiply()'s x.
  Tensor multiply_transposed(const Tensor& g) const;
  /// The same for g [M, N] into a contiguous [M, K].
  void multiply_transposed_into(Tensor& out, const Tensor& g) const;
  /// The rows `ids` (contiguous I64 [...], each in [0, N)) -> [..., K].
  Tensor rows(const Tensor& ids) const;

 private:
  friend std::vector<Tensor> multiply_each(const Tensor& x, std::span<const Weight> weights);
  // The result of a product of x [..., from], not yet computed: [..., to].
  Tensor empty_result(const Tensor& x, std::int64_t from, std::int64_t to) const;
  using Product = void (WeightFormat::*)(const Tensor&, const Tensor&, Tensor&) const;
  // `product` of x [..., from] as rows -> [..., to].
  Tensor apply(Product product, const Tensor& x, std::int64_t from, std::int64_t to) const;

  Tensor matrix_;
  const WeightFormat* format_;
};

/// x W^T for each of `weights`, with the values of multiply(). For a single row, as in generation,
/// it is one parallel loop over all their rows: to start the threads takes as long as a small
/// product.
std::vector<Tensor> multiply_each(const Tensor& x, std::span<const Weight> weights);

/// Whether a Weight can have elements of this type.
bool is_weight_dtype(Dtype dtype);
/// Whether parameters of this type can have gradients: quantised and 16-bit ones cannot.
bool is_trainable(Dtype dtype);

}  // namespace gladius
