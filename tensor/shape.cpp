#include "gladius/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "gladius/tensor/base/error.h"

namespace gladius {

std::int64_t numel(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) {
      throw ShapeError(fmt::format("shape: {} has a negative size", to_string(shape)));
    }
    if (__builtin_mul_overflow(count, size, &count)) {
      throw ShapeError(fmt::format("shape: {} has too many elements", to_string(shape)));
    }
  }
  return count;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    // Also where a size of 0 makes it a tensor of no elements: as PyTorch.
    if (i > 0 && __builtin_mul_overflow(step, std::max<std::int64_t>(shape[i], 1), &step)) {
      throw ShapeError(fmt::format("shape: the strides of {} overflow", to_string(shape)));
    }
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      throw ShapeError(
          fmt::format("{}: shapes {} and {} do not broadcast", op, to_string(a), to_string(b)));
    }
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

void check_broadcasts_to(const char* op, const Shape& from, const Shape& to) {
  bool fits = from.size() <= to.size();
  for (std::size_t i = 0; fits && i < from.size(); ++i) {
    const std::int64_t size = from[from.size() - 1 - i];
    fits = size == 1 || size == to[to.size() - 1 - i];
  }
  if (!fits) {
    throw ShapeError(
        fmt::format("{}: {} does not broadcast to {}", op, to_string(from), to_string(to)));
  }
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::int64_t normalize_dim(const char* op, std::int64_t dim, std::int64_t rank) {
  if (dim < -rank || dim >= rank) {
    throw ShapeError(fmt::format("{}: dimension {} of a tensor with {} dimensions", op, dim, rank));
  }
  return dim < 0 ? dim + rank : dim;
}

}  // namespace gladius
