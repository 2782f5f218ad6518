#include "gladius/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/element_range.h"

namespace gladius {
namespace {

// Throws ShapeError where a row of a quantised type would not be whole blocks that lie one after
// another.
void check_blocks(const Tensor& tensor) {
  const std::int64_t block = block_elements(tensor.dtype());
  if (block == 1 || tensor.numel() == 0) return;
  bool whole = tensor.dim() > 0 && tensor.offset() % block == 0;
  for (std::int64_t d = 0; whole && d < tensor.dim(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    const std::int64_t size = tensor.shape()[i], stride = tensor.strides()[i];
    whole = d == tensor.dim() - 1 ? stride == 1 && size % block == 0
                                  : size == 1 || (stride > 0 && stride % block == 0);
  }
  if (whole) return;
  throw ShapeError(
      fmt::format("tensor: {} would cut blocks of {} elements: its rows must be "
                  "contiguous and a multiple of that long",
                  tensor.describe(), block));
}

// start + i * step for i < n.
Tensor progression(double start, double step, std::int64_t n, Dtype dtype) {
  Tensor result = Tensor::empty({n}, dtype);
  dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    T* out = result.data<T>();
    for (std::int64_t i = 0; i < n; ++i) {
      out[i] = checked_element<T>("arange", start + static_cast<double>(i) * step);
    }
  });
  return result;
}

}  // namespace

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, Strides strides, std::int64_t offset,
               Dtype dtype)
    : storage_(std::move(storage)),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      offset_(offset),
      numel_(gladius::numel(shape_)),
      dtype_(dtype) {
  if (!storage_) throw Error("tensor: no storage to view");
  if (strides_.size() != shape_.size()) {
    throw ShapeError(
        fmt::format("tensor: {} strides for shape {}", strides_.size(), to_string(shape_)));
  }
  check_blocks(*this);
  std::int64_t last = offset_;
  std::int64_t first = offset_;
  bool overflows = false;
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] <= 1) continue;
    std::int64_t past = 0;  // walks take a step beyond the last element before they turn back
    std::int64_t& bound = strides_[i] < 0 ? first : last;
    overflows = __builtin_mul_overflow(strides_[i], shape_[i], &past) ||
                __builtin_add_overflow(bound, past - strides_[i], &bound) || overflows;
  }
  const auto held =
      static_cast<std::int64_t>(storage_->size() / dtype_size(dtype_)) * block_elements(dtype_);
  const bool outside = numel_ > 0 ? first < 0 || last >= held : offset_ < 0 || offset_ > held;
  if (overflows || outside) {
    throw ShapeError(fmt::format("tensor: {} at offset {} leaves its storage of {} elements",
                                 describe(), offset_, held));
  }
}

namespace {

std::size_t bytes_of(const Shape& shape, Dtype dtype) {
  std::size_t bytes = 0;
  const auto blocks = static_cast<std::size_t>(numel(shape) / block_elements(dtype));
  if (__builtin_mul_overflow(blocks, dtype_size(dtype), &bytes) ||
      bytes > static_cast<std::size_t>(INT64_MAX)) {
    throw ShapeError(fmt::format("shape: {} {} takes more bytes than can be counted",
                                 dtype_name(dtype), to_string(shape)));
  }
  return bytes;
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, Dtype dtype) {
  return Tensor(Storage::allocate(bytes_of(shape, dtype)), shape, contiguous_strides(shape), 0,
                dtype);
}

Tensor Tensor::full(const Shape& shape, double value, Dtype dtype) {
  Tensor result = empty(shape, dtype);
  result.fill_(value);
  return result;
}

Tensor Tensor::zeros(const Shape& shape, Dtype dtype) { return full(shape, 0.0, dtype); }
Tensor Tensor::ones(const Shape& shape, Dtype dtype) { return full(shape, 1.0, dtype); }
Tensor Tensor::scalar(double value, Dtype dtype) { return full({}, value, dtype); }

Tensor Tensor::arange(std::int64_t n, Dtype dtype) { return progression(0, 1, n, dtype); }

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  if (gladius::numel(shape) != static_cast<std::int64_t>(values.size())) {
    throw ShapeError(
        fmt::format("from: {} values do not fill {}", values.size(), to_string(shape)));
  }
  Tensor result = empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

Tensor Tensor::from(std::initializer_list<double> values, Dtype dtype) {
  return from(std::span<const double>(values), {std::ssize(values)}).to(dtype);
}

Tensor Tensor::from(std::initializer_list<std::initializer_list<double>> rows, Dtype dtype) {
  const std::size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  std::vector<double> values;
  for (const auto& row : rows) {
    if (row.size() != columns) {
      throw ShapeError(fmt::format("from: row {} has {} values, row 0 has {}", &row - rows.begin(),
                                   row.size(), columns));
    }
    values.insert(values.end(), row);
  }
  return from(values, {std::ssize(rows), static_cast<std::int64_t>(columns)}).to(dtype);
}

std::int64_t Tensor::size(std::int64_t dim) const {
  return shape_[static_cast<std::size_t>(normalize_dim("size", dim, this->dim()))];
}

bool Tensor::is_contiguous() const {
  if (numel_ == 0) return true;
  std::int64_t step = 1;
  for (std::size_t i = shape_.size(); i-- > 0;) {
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

std::byte* Tensor::raw_data() const {
  if (!defined()) throw Error("tensor: the undefined tensor has no data");
  return storage_->data() + dtype_bytes(dtype_, offset_);
}

template <class T>
T* Tensor::data() const {
  if (dtype_of<T> != dtype_) {
    throw DtypeError(fmt::format("data: {} read as {}", describe(), dtype_name(dtype_of<T>)));
  }
  return reinterpret_cast<T*>(raw_data());
}

double Tensor::item() const {
  if (numel_ != 1) throw ShapeError(fmt::format("item: {} has not one element", describe()));
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor dense = to(dtype_of<T>).contiguous();
  const T* elements = dense.data<T>();
  return std::vector<T>(elements, elements + numel_);
}

void Tensor::mark_written(const char* op) {
  if (!defined()) throw Error(fmt::format("{}: the undefined tensor cannot be written", op));
  if (storage_->read_only()) {
    throw Error(fmt::format("{}: {} is read-only; clone() it first", op, describe()));
  }
  for (std::size_t d = 0; d < shape_.size(); ++d) {
    if (strides_[d] == 0 && shape_[d] > 1 && numel_ > 0) {
      throw Error(
          fmt::format("{}: {} is expanded along dimension {}, where its elements share "
                      "memory; clone() it first",
                      op, describe(), d));
    }
  }
  storage_->bump_version();
}

std::string Tensor::describe() const {
  return defined() ? fmt::format("{} {}", dtype_name(dtype_), to_string(shape_))
                   : "undefined tensor";
}

Tensor arange(double start, double end, double step, Dtype dtype) {
  const auto refuse = [&](const char* why) {
    throw Error(fmt::format("arange: from {} to {} by {} in {}: {}", start, end, step,
                            dtype_name(dtype), why));
  };
  const double steps = (end - start) / step;
  const double count = std::ceil(steps);
  if (step == 0 || !std::isfinite(count)) refuse("the steps have no end");
  if (steps < 0) refuse("the step leads away from the end");
  if (count > 0x1p53) refuse("too many elements");
  const bool whole = start == std::floor(start) && step == std::floor(step);
  if (!is_floating_point(dtype) && !whole) refuse("an integer type takes whole numbers");
  return progression(start, step, static_cast<std::int64_t>(count), dtype);
}

#define GLADIUS_INSTANTIATE(T)                                       \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&); \
  template T* Tensor::data<T>() const;                               \
  template std::vector<T> Tensor::to_vector<T>() const;
GLADIUS_INSTANTIATE(bool)
GLADIUS_INSTANTIATE(std::uint8_t)
GLADIUS_INSTANTIATE(std::int8_t)
GLADIUS_INSTANTIATE(std::uint16_t)
GLADIUS_INSTANTIATE(std::int16_t)
GLADIUS_INSTANTIATE(float16)
GLADIUS_INSTANTIATE(bfloat16)
GLADIUS_INSTANTIATE(std::uint32_t)
GLADIUS_INSTANTIATE(std::int32_t)
GLADIUS_INSTANTIATE(float)
GLADIUS_INSTANTIATE(double)
GLADIUS_INSTANTIATE(std::int64_t)
GLADIUS_INSTANTIATE(std::uint64_t)
#undef GLADIUS_INSTANTIATE

}  // namespace gladius
