#include "gladius/nn/rotary_embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "gladius/autograd/ops/rotary_embedding.h"

namespace gladius {
namespace {

// Bounds beyond all use, so that a number that is none does not ask for all memory.
constexpr std::int64_t kLargestHeadDim = 1 << 20;
constexpr std::int64_t kMostPositions = std::int64_t{1} << 31;

}  // namespace

RotaryEmbedding::RotaryEmbedding(std::int64_t head_dim, double theta)
    : RotaryEmbedding(default_frequencies(head_dim, theta)) {}

RotaryEmbedding::RotaryEmbedding(std::vector<double> frequencies, double attention_scaling)
    : frequencies_([fixed = std::move(frequencies)](std::int64_t) { return fixed; }),
      fixed_length_(std::numeric_limits<std::int64_t>::max()),
      attention_scaling_(attention_scaling) {}

RotaryEmbedding::RotaryEmbedding(
    std::int64_t fixed_length, std::function<std::vector<double>(std::int64_t length)> frequencies)
    : frequencies_(std::move(frequencies)), fixed_length_(fixed_length), attention_scaling_(1) {}

std::vector<double> RotaryEmbedding::default_frequencies(std::int64_t head_dim, double theta) {
  if (head_dim < 2 || head_dim > kLargestHeadDim || head_dim % 2 != 0) {
    throw ConfigError(
        fmt::format("rotary_embedding: head_dim {} is not a positive even number{}", head_dim,
                    head_dim > kLargestHeadDim ? fmt::format(" up to {}", kLargestHeadDim) : ""));
  }
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < head_dim; i += 2) {
    frequencies.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(head_dim)));
  }
  return frequencies;
}

Variable RotaryEmbedding::forward(const Variable& x, const Tensor& positions) {
  const std::vector<std::int64_t> list = positions.to_vector<std::int64_t>();
  const std::int64_t last = list.empty() ? -1 : *std::ranges::max_element(list);
  if (last >= kMostPositions) {
    throw ShapeError(
        fmt::format("rotary_embedding: position {} is not below {}", last, kMostPositions));
  }
  grow(last + 1, x.dtype());
  return rotary_embedding(x, cos_, sin_, positions);
}

void RotaryEmbedding::grow(std::int64_t positions, Dtype dtype) {
  const std::int64_t length = std::max(positions, fixed_length_);
  if (cos_.defined() && cos_.size(0) >= positions && cos_.dtype() == dtype &&
      table_length_ == length) {
    return;
  }
  const std::vector<double> frequencies = frequencies_(length);
  // In powers of two, so that generation token by token rarely computes them anew.
  const auto rows = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(positions, 64))));
  const auto half = static_cast<std::int64_t>(frequencies.size());
  const Tensor cosines = Tensor::empty({rows, half}, Dtype::F64);
  const Tensor sines = Tensor::empty({rows, half}, Dtype::F64);
  double *cosine = cosines.data<double>(), *sine = sines.data<double>();
  for (std::int64_t p = 0; p < rows; ++p) {
    for (const double frequency : frequencies) {
      // The reference computes the angle in float32; so do we, as its weights were trained with it.
      const float angle = static_cast<float>(p) * static_cast<float>(frequency);
      *cosine++ = std::cos(static_cast<double>(angle)) * attention_scaling_;
      *sine++ = std::sin(static_cast<double>(angle)) * attention_scaling_;
    }
  }
  cos_ = cosines.to(dtype);
  sin_ = sines.to(dtype);
  table_length_ = length;
}

}  // namespace gladius
