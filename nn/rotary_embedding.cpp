#include "gladius/nn/rotary_embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "gladius/autograd/ops/rotary_embedding.h"
#include "gladius/tensor/parallel.h"

namespace gladius::nn {
namespace {

// Bounds beyond all use, so that a number that is none does not ask for all memory.
constexpr std::int64_t kLargestHeadDim = 1 << 20;
constexpr std::int64_t kMostPositions = std::int64_t{1} << 31;
constexpr std::int64_t kRowsATask = 64;

void check_positions(const std::vector<std::int64_t>& positions) {
  for (const std::int64_t position : positions) {
    if (position < 0 || position >= kMostPositions) {
      throw ShapeError(
          fmt::format("rotary_embedding: position {} is {}", position,
                      position < 0 ? "negative" : fmt::format("not below {}", kMostPositions)));
    }
  }
}

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

Rotation RotaryEmbedding::rotation(const Tensor& positions, Dtype dtype) const {
  const std::vector<std::int64_t> list = positions.to_vector<std::int64_t>();
  check_positions(list);
  const std::int64_t last = list.empty() ? -1 : *std::ranges::max_element(list);
  const std::vector<double> frequencies = frequencies_(std::max(last + 1, fixed_length_));
  const auto half = static_cast<std::int64_t>(frequencies.size());
  const Tensor cos = Tensor::empty({std::ssize(list), half}, Dtype::F64);
  const Tensor sin = Tensor::empty({std::ssize(list), half}, Dtype::F64);
  double *cosines = cos.data<double>(), *sines = sin.data<double>();
  parallel_for(std::ssize(list), kRowsATask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto position = static_cast<float>(list[static_cast<std::size_t>(row)]);
      for (std::int64_t i = 0; i < half; ++i) {
        // The reference computes the angle in float32; so do we, as its weights were trained with
        // it.
        const float angle = position * static_cast<float>(frequencies[static_cast<std::size_t>(i)]);
        cosines[row * half + i] = std::cos(static_cast<double>(angle)) * attention_scaling_;
        sines[row * half + i] = std::sin(static_cast<double>(angle)) * attention_scaling_;
      }
    }
  });
  return {.cos = cos.to(dtype),
          .sin = sin.to(dtype),
          .rows = Tensor::arange(std::ssize(list)).reshape(positions.shape())};
}

Variable rotate(const Variable& x, const Rotation& rotation) {
  return rotary_embedding(x, rotation.cos, rotation.sin, rotation.rows);
}

Variable RotaryEmbedding::forward(const Variable& x, const Tensor& positions) const {
  return rotate(x, rotation(positions, x.dtype()));
}

}  // namespace gladius::nn
