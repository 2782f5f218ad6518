// The views of a tensor: other sizes, strides and offsets of the same storage.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/tensor/tensor.h"

namespace gladius {
namespace {

// Strides that give `to` the row-major order of (from, strides); false if none do.
bool reshaped_strides(const Shape& from, const Strides& strides, const Shape& to, Strides& result) {
  result.assign(to.size(), 0);
  std::size_t t = to.size();
  std::int64_t block = 1;  // elements of `from` seen since the last break in contiguity
  std::int64_t filled = 1;
  std::int64_t base = 1;
  bool fresh = true;
  for (std::size_t d = from.size(); d-- > 0;) {
    if (from[d] == 1) continue;
    if (fresh) base = strides[d];
    fresh = false;
    block *= from[d];
    std::size_t next = d;
    while (next > 0 && from[next - 1] == 1) --next;
    if (next > 0 && strides[next - 1] == base * block) continue;  // the outer dimension goes on
    while (t > 0 && (filled < block || to[t - 1] == 1)) {
      result[--t] = base * filled;
      filled *= to[t];
    }
    if (filled != block) return false;
    block = filled = 1;
    fresh = true;
  }
  while (t > 0) result[--t] = 1;  // only sizes of 1 are left
  return true;
}

Shape resolve_shape(const char* op, const Shape& wanted, std::int64_t count, const Shape& from) {
  Shape shape = wanted;
  std::int64_t known = 1;
  std::int64_t open = -1;
  bool overflows = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && open < 0) {
      open = static_cast<std::int64_t>(i);
    } else {
      overflows = __builtin_mul_overflow(known, shape[i], &known) || overflows;
    }
  }
  if (open >= 0 && known > 0 && count % known == 0) {
    shape[static_cast<std::size_t>(open)] = count / known;
    known = count;
  }
  if (overflows || known != count ||
      std::ranges::any_of(shape, [](auto size) { return size < 0; })) {
    throw ShapeError(fmt::format("{}: {} has {} elements and cannot become {}", op, to_string(from),
                                 count, to_string(wanted)));
  }
  return shape;
}

}  // namespace

Tensor Tensor::view(const Shape& wanted) const {
  const Shape shape = resolve_shape("view", wanted, numel_, shape_);
  Strides strides = contiguous_strides(shape);
  if (!is_contiguous() && !reshaped_strides(shape_, strides_, shape, strides)) {
    throw ShapeError(fmt::format("view: {} with strides {} cannot be seen as {}; use reshape",
                                 describe(), to_string(strides_), to_string(shape)));
  }
  return Tensor(storage_, shape, strides, offset_, dtype_);
}

Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve_shape("reshape", wanted, numel_, shape_);
  Strides strides;
  if (is_contiguous() || reshaped_strides(shape_, strides_, shape, strides)) return view(shape);
  return clone().view(shape);
}

Tensor Tensor::permute(const std::vector<std::int64_t>& dims) const {
  Shape shape;
  Strides strides;
  std::vector<bool> seen(shape_.size(), false);
  for (const std::int64_t dim : dims) {
    const auto d = static_cast<std::size_t>(normalize_dim("permute", dim, this->dim()));
    if (seen[d]) {
      throw ShapeError(fmt::format("permute: dimension {} of {} is named twice", dim, describe()));
    }
    seen[d] = true;
    shape.push_back(shape_[d]);
    strides.push_back(strides_[d]);
  }
  if (dims.size() != shape_.size()) {
    throw ShapeError(fmt::format("permute: {} dimensions named for {}", dims.size(), describe()));
  }
  return Tensor(storage_, shape, strides, offset_, dtype_);
}

Tensor Tensor::transpose(std::int64_t a, std::int64_t b) const {
  if (is_quantized(dtype_)) {
    throw ShapeError(
        fmt::format("transpose: {} is quantised along its rows; convert it with to()", describe()));
  }
  Tensor result = *this;
  const auto i = static_cast<std::size_t>(normalize_dim("transpose", a, dim()));
  const auto j = static_cast<std::size_t>(normalize_dim("transpose", b, dim()));
  std::swap(result.shape_[i], result.shape_[j]);
  std::swap(result.strides_[i], result.strides_[j]);
  return result;
}

Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length,
                      std::int64_t step) const {
  const auto d = static_cast<std::size_t>(normalize_dim("narrow", dim, this->dim()));
  const bool fits = start >= 0 && length >= 0 && step >= 1 && start <= shape_[d] &&
                    (length == 0 || (length - 1) <= (shape_[d] - 1 - start) / step);
  if (!fits || (length > 0 && start == shape_[d])) {
    throw ShapeError(fmt::format("narrow: start {}, length {}, step {} in dimension {} of {}",
                                 start, length, step, dim, describe()));
  }
  Shape shape = shape_;
  Strides strides = strides_;
  shape[d] = length;
  if (length > 1) strides[d] *= step;  // else it is never taken, and may be any number
  // What has no elements stays where it is: its strides need not fit the storage.
  const bool moves = length > 0 && numel_ > 0;
  return Tensor(storage_, shape, strides, offset_ + (moves ? start * strides_[d] : 0), dtype_);
}

Tensor Tensor::select(std::int64_t dim, std::int64_t index) const {
  const auto d = normalize_dim("select", dim, this->dim());
  const std::int64_t i = index < 0 ? index + size(d) : index;
  if (i < 0 || i >= size(d)) {
    throw ShapeError(fmt::format("select: index {} in dimension {} of {}", index, dim, describe()));
  }
  return narrow(d, i, 1).squeeze(d);
}

Tensor Tensor::expand(const Shape& sizes) const {
  Shape shape = sizes;
  for (std::size_t i = 1; i <= std::min(shape.size(), shape_.size()); ++i) {
    std::int64_t& size = shape[shape.size() - i];
    if (size == -1) size = shape_[shape_.size() - i];
  }
  check_broadcasts_to("expand", shape_, shape);
  Strides strides(shape.size(), 0);
  const std::size_t lead = shape.size() - shape_.size();
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] == shape[lead + i]) strides[lead + i] = strides_[i];
  }
  return Tensor(storage_, shape, strides, offset_, dtype_);
}

Tensor Tensor::unsqueeze(std::int64_t dim) const {
  const auto d = normalize_dim("unsqueeze", dim, this->dim() + 1);
  Tensor result = *this;
  result.shape_.insert(result.shape_.begin() + d, 1);
  result.strides_.insert(result.strides_.begin() + d, 1);
  return result;
}

Tensor Tensor::squeeze(std::int64_t dim) const {
  const auto d = normalize_dim("squeeze", dim, this->dim());
  if (size(d) != 1) {
    throw ShapeError(fmt::format("squeeze: dimension {} of {} is not 1", dim, describe()));
  }
  Tensor result = *this;
  result.shape_.erase(result.shape_.begin() + d);
  result.strides_.erase(result.strides_.begin() + d);
  return result;
}

}  // namespace gladius
