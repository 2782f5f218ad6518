// For operations along one dimension: its rows laid out one after another, and their results put
// back in place.
#pragma once

#include <algorithm>

#include "gladius/tensor/parallel.h"
#include "gladius/tensor/tensor.h"

namespace gladius {

class RowsAlong {
 public:
  /// The rows of x along `dim`; a scalar is one row of one element. ShapeError naming `op`.
  RowsAlong(const char* op, const Tensor& x, std::int64_t dim)
      : scalar_(x.dim() == 0),
        dim_(normalize_dim(op, dim, scalar_ ? 1 : x.dim())),
        rows_((scalar_ ? x.unsqueeze(0) : x).transpose(dim_, -1).contiguous()) {}

  std::int64_t dim() const { return dim_; }
  std::int64_t length() const { return rows_.size(-1); }
  template <class T>
  const T* data() const {
    return rows_.data<T>();
  }

  /// Calls body(r) for every row r, on several threads if there is much to do.
  template <class Body>
  void for_each(Body&& body) const {
    if (rows_.numel() == 0) return;  // of empty rows there may be any number
    const std::int64_t grain = (1 << 13) / std::max<std::int64_t>(length(), 1) + 1;
    parallel_for(numel(shape_with(1)), grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) body(r);
    });
  }

  /// An empty place for results of `length` elements a row.
  Tensor result(std::int64_t length, Dtype dtype) const {
    return Tensor::empty(shape_with(length), dtype);
  }
  /// Such results as the caller knows the dimensions; contiguous.
  Tensor put_back(const Tensor& result) const {
    const Tensor placed = result.transpose(dim_, -1).contiguous();
    return scalar_ ? placed.squeeze(0) : placed;
  }

 private:
  Shape shape_with(std::int64_t length) const {
    Shape shape = rows_.shape();
    shape.back() = length;
    return shape;
  }

  bool scalar_;
  std::int64_t dim_;
  Tensor rows_;
};

}  // namespace gladius
