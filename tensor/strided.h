// Walks several tensors of one shape in step, row by row.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "gladius/tensor/parallel.h"
#include "gladius/tensor/shape.h"

namespace gladius {

/// The place of an element of a tensor of that shape, whose elements are counted in row-major
/// order.
inline Shape unravel_index(std::int64_t element, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t d = shape.size(); d-- > 0; element /= shape[d]) index[d] = element % shape[d];
  return index;
}

/// The dimensions of N operands of one shape, with those merged that every operand steps through as
/// one. There is always an innermost dimension: of size 1 for scalars. Without elements it is the
/// only one, of size 0, since products of the other sizes may overflow.
template <std::size_t N>
struct StridedLoop {
  using Offsets = std::array<std::int64_t, N>;

  StridedLoop(const Shape& shape, const std::array<const Strides*, N>& operands);

  /// Calls row(offsets, n) for the pieces of innermost rows that make up the elements
  /// [begin, end) in row-major order: operand i's elements are at offsets[i] + j * inner[i], j < n.
  template <class Row>
  void rows(std::int64_t begin, std::int64_t end, Row&& row) const {
    using Body = std::remove_reference_t<Row>;
    walk(
        begin, end,
        [](void* body, const Offsets& offsets, std::int64_t n) {
          (*static_cast<Body*>(body))(offsets, n);
        },
        const_cast<void*>(static_cast<const void*>(&row)));
  }

  /// rows() over all elements, on several threads if there are many.
  template <class Row>
  void parallel_rows(Row&& row, std::int64_t grain = 1 << 15) const {
    parallel_for(count, grain,
                 [&](std::int64_t begin, std::int64_t end) { rows(begin, end, row); });
  }

  Shape sizes;
  std::array<Strides, N> strides;
  Offsets inner{};  // strides of the innermost dimension
  std::int64_t count = 1;

 private:
  // rows(), compiled once for all bodies: there are hundreds of them, of every operation and type.
  using RowCall = void (*)(void* body, const Offsets& offsets, std::int64_t n);
  void walk(std::int64_t begin, std::int64_t end, RowCall row, void* body) const;
};

}  // namespace gladius
