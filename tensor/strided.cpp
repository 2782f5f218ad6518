#include "gladius/tensor/strided.h"

#include <algorithm>

namespace gladius {

template <std::size_t N>
StridedLoop<N>::StridedLoop(const Shape& shape, const std::array<const Strides*, N>& operands) {
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

template <std::size_t N>
void StridedLoop<N>::walk(std::int64_t begin, std::int64_t end, RowCall row, void* body) const {
  if (begin >= end) return;
  const std::size_t rank = sizes.size();
  Shape index = unravel_index(begin, sizes);
  Offsets offsets{};
  for (std::size_t d = 0; d < rank; ++d) {
    for (std::size_t i = 0; i < N; ++i) offsets[i] += index[d] * strides[i][d];
  }
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t n = std::min(sizes.back() - index.back(), end - at);
    row(body, offsets, n);
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

template struct StridedLoop<1>;
template struct StridedLoop<2>;
template struct StridedLoop<3>;
template struct StridedLoop<4>;

}  // namespace gladius
