// Walks several tensors of one shape in step, row by row.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

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
  StridedLoop(const Shape& shape, const std::array<const Strides*, N>& operands) {
    const bool none = std::ranges::find(shape, 0) != shape.end();
    if (none) {
      sizes.push_back(0);
      count = 0;
    }
    for (std::size_t d = 0; d < shape.size() && !none; ++d) {
      if (shape[d] == 1) continue;
      bool merges = !sizes.empty();
      for (std::size_t i = 0; merges && i < N; ++i) {
        merges = strides[i].back() == (*operands[i])[d] * shape[d];
      }
      if (merges) {
        sizes.back() *= shape[d];
      } else {
        sizes.push_back(shape[d]);
      }
      for (std::size_t i = 0; i < N; ++i) {
        if (!merges) strides[i].push_back(0);
        strides[i].back() = (*operands[i])[d];
      }
      count *= shape[d];
    }
    if (sizes.empty()) sizes.push_back(1);
    for (Strides& operand : strides) {
      if (operand.empty()) operand.push_back(1);
    }
    for (std::size_t i = 0; i < N; ++i) inner[i] = strides[i].back();
  }

  /// Calls row(offsets, n) for the pieces of innermost rows that make up the elements
  /// [begin, end) in row-major order: operand i's elements are at offsets[i] + j * inner[i], j < n.
  template <class Row>
  void rows(std::int64_t begin, std::int64_t end, Row&& row) const {
    if (begin >= end) return;
    const std::size_t rank = sizes.size();
    Shape index = unravel_index(begin, sizes);
    std::array<std::int64_t, N> offsets{};
    for (std::size_t d = 0; d < rank; ++d) {
      for (std::size_t i = 0; i < N; ++i) offsets[i] += index[d] * strides[i][d];
    }
    for (std::int64_t at = begin; at < end;) {
      const std::int64_t n = std::min(sizes.back() - index.back(), end - at);
      row(std::as_const(offsets), n);
      at += n;
      if (at == end) return;
      for (std::size_t i = 0; i < N; ++i) offsets[i] -= index.back() * inner[i];
      index.back() = 0;
      for (std::size_t d = rank - 1; d-- > 0;) {
        for (std::size_t i = 0; i < N; ++i) offsets[i] += strides[i][d];
        if (++index[d] < sizes[d]) break;
        for (std::size_t i = 0; i < N; ++i) offsets[i] -= sizes[d] * strides[i][d];
        index[d] = 0;
      }
    }
  }

  /// rows() over all elements, on several threads if there are many.
  template <class Row>
  void parallel_rows(Row&& row, std::int64_t grain = 1 << 15) const {
    parallel_for(count, grain,
                 [&](std::int64_t begin, std::int64_t end) { rows(begin, end, row); });
  }

  Shape sizes;
  std::array<Strides, N> strides;
  std::array<std::int64_t, N> inner{};  // strides of the innermost dimension
  std::int64_t count = 1;
};

}  // namespace gladius
