// Tensor: a strided, typed view of shared storage. Knows nothing of gradients (see
// autograd/variable.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/dtype.h"
#include "gladius/tensor/shape.h"
#include "gladius/tensor/storage.h"

namespace gladius {

/// A cheap handle: copies share the storage, as do views (reshape of contiguous data, permute,
/// narrow, ...). Constness is the handle's, not the elements', as in PyTorch.
///
/// Const methods may be called from several threads, as long as none writes to the elements.
class Tensor {
 public:
  /// The undefined tensor.
  Tensor() = default;
  /// A view of `storage`; `offset` in elements. Throws ShapeError if it would leave the storage or
  /// cut the blocks of a quantised type: rows hold whole blocks, one element after another.
  Tensor(std::shared_ptr<Storage> storage, Shape shape, Strides strides, std::int64_t offset,
         Dtype dtype);

  static Tensor empty(const Shape& shape, Dtype dtype = Dtype::F32);
  static Tensor zeros(const Shape& shape, Dtype dtype = Dtype::F32);
  static Tensor ones(const Shape& shape, Dtype dtype = Dtype::F32);
  static Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::F32);
  static Tensor scalar(double value, Dtype dtype = Dtype::F32);
  /// 0, 1, ..., n - 1.
  static Tensor arange(std::int64_t n, Dtype dtype = Dtype::I64);
  /// A copy of `values`; throws ShapeError if their number does not fit.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  /// As torch.tensor([1, 2, 3]): from({1, 2, 3}) has the shape [3], and from({{1, 2}, {3, 4}}) the
  /// shape [2, 2]; ShapeError if rows differ in length. Converted as by to().
  static Tensor from(std::initializer_list<double> values, Dtype dtype = Dtype::F32);
  static Tensor from(std::initializer_list<std::initializer_list<double>> rows,
                     Dtype dtype = Dtype::F32);

  bool defined() const { return storage_ != nullptr; }
  Dtype dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  /// Size of one dimension; negative counts from the end.
  std::int64_t size(std::int64_t dim) const;
  std::int64_t dim() const { return static_cast<std::int64_t>(shape_.size()); }
  std::int64_t numel() const { return numel_; }
  std::size_t nbytes() const { return dtype_bytes(dtype_, numel_); }
  std::int64_t offset() const { return offset_; }
  bool is_contiguous() const;
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  std::uint64_t version() const { return storage_ ? storage_->version() : 0; }

  /// Pointer to the first element; throws DtypeError if T is not the element type.
  template <class T>
  T* data() const;
  /// Pointer to the first byte, whatever the type.
  std::byte* raw_data() const;
  /// The only element, converted; throws ShapeError if there is not exactly one.
  double item() const;
  /// All elements in row-major order, converted.
  template <class T>
  std::vector<T> to_vector() const;

  // Views: share the storage.
  /// Same elements, other sizes (one may be -1); a view where strides allow it, else a copy.
  Tensor reshape(const Shape& shape) const;
  /// As reshape, but throws ShapeError where a copy would be needed.
  Tensor view(const Shape& shape) const;
  Tensor permute(const std::vector<std::int64_t>& dims) const;
  Tensor transpose(std::int64_t a, std::int64_t b) const;
  /// Elements start, start + step, ... of one dimension, `length` of them.
  Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length,
                std::int64_t step = 1) const;
  /// One index of a dimension, which disappears.
  Tensor select(std::int64_t dim, std::int64_t index) const;
  /// Stride-0 broadcasting to `shape`; -1 keeps the size of a dimension that is there.
  Tensor expand(const Shape& shape) const;
  Tensor unsqueeze(std::int64_t dim) const;
  Tensor squeeze(std::int64_t dim) const;

  /// This tensor if contiguous, else a contiguous copy.
  Tensor contiguous() const;
  /// A contiguous copy.
  Tensor clone() const;
  /// Converted to `dtype` (this tensor if it already is), from and to quantised types too
  /// (tensor/quantized.h).
  Tensor to(Dtype dtype) const;

  // In place; each bumps the storage's version. Error on read-only storage and on an expanded
  // tensor, whose elements share memory.
  void fill_(double value);
  void zero_() { fill_(0.0); }
  /// Copies with broadcasting and conversion.
  void copy_(const Tensor& source);
  /// Call before writing through data<T>(); errors name the operation `op`.
  void mark_written(const char* op = "mark_written");

  /// "F32 [2, 3]", for messages.
  std::string describe() const;

 private:
  std::shared_ptr<Storage> storage_;
  Shape shape_;
  Strides strides_;
  std::int64_t offset_ = 0;
  std::int64_t numel_ = 0;
  Dtype dtype_ = Dtype::F32;
};

/// start, start + step, ... up to but not `end`. Error for a step of 0, a step away from `end`, or
/// a fraction in an integer type.
Tensor arange(double start, double end, double step = 1, Dtype dtype = Dtype::I64);

/// A state dictionary: tensors by name, in order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

}  // namespace gladius
