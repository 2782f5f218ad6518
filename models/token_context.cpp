#include "gladius/models/token_context.h"

#include <algorithm>

namespace gladius {

TokenContext sequential_context(std::int64_t B, std::int64_t T, std::int64_t start) {
  std::vector<std::int64_t> positions;
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t t = 0; t < T; ++t) positions.push_back(start + t);
  }
  return {.positions = Tensor::from(positions, {B, T}), .first_key = {}};
}

TokenContext packed_context(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> positions, first_key;
  for (const std::int64_t length : lengths) {
    const auto start = static_cast<std::int64_t>(positions.size());
    for (std::int64_t t = 0; t < length; ++t) {
      positions.push_back(t);
      first_key.push_back(start);
    }
  }
  const auto T = static_cast<std::int64_t>(positions.size());
  return {.positions = Tensor::from(positions, {1, T}),
          .first_key = lengths.size() > 1 ? Tensor::from(first_key, {1, T}) : Tensor()};
}

TokenContext windowed_context(const TokenContext& context, std::int64_t start,
                              std::int64_t window) {
  const Shape& shape = context.positions.shape();
  std::vector<std::int64_t> first =
      context.first_key.defined()
          ? context.first_key.to_vector<std::int64_t>()
          : std::vector<std::int64_t>(static_cast<std::size_t>(context.positions.numel()));
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::int64_t query = start + static_cast<std::int64_t>(i) % shape.at(1);
    first[i] = std::max(first[i], query - window + 1);
  }
  return {.positions = context.positions, .first_key = Tensor::from(first, shape)};
}

}  // namespace gladius
