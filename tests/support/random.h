// Random shapes, views and values for tests. Seeds are printed by SCOPED_TRACE where they are used.
#pragma once

#include <random>
#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius::testing {

using Rng = std::mt19937_64;

/// A number of [low, high].
inline std::int64_t random_int(Rng& rng, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
}

template <class T>
T one_of(Rng& rng, const std::vector<T>& values) {
  return values[static_cast<std::size_t>(random_int(rng, 0, std::ssize(values) - 1))];
}

/// `rank` sizes of [low, high].
inline Shape random_shape(Rng& rng, std::int64_t rank, std::int64_t low = 1,
                          std::int64_t high = 4) {
  Shape shape;
  for (std::int64_t d = 0; d < rank; ++d) shape.push_back(random_int(rng, low, high));
  return shape;
}

/// Uniform values of [low, high], contiguous.
inline Tensor random_tensor(Rng& rng, const Shape& shape, double low = -1, double high = 1,
                            Dtype dtype = Dtype::F64) {
  std::uniform_real_distribution<double> distribution(low, high);
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (double& value : values) value = distribution(rng);
  return Tensor::from(values, shape).to(dtype);
}

/// The same as a view with other strides: permuted, or every second element of a larger tensor.
inline Tensor random_view(Rng& rng, const Shape& shape, double low = -1, double high = 1,
                          Dtype dtype = Dtype::F64) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t kind = rank == 0 ? 0 : random_int(rng, 0, 2);
  if (kind == 0) return random_tensor(rng, shape, low, high, dtype);
  const std::int64_t a = random_int(rng, 0, rank - 1);
  if (kind == 1) {
    const std::int64_t b = random_int(rng, 0, rank - 1);
    Shape swapped = shape;
    std::swap(swapped[static_cast<std::size_t>(a)], swapped[static_cast<std::size_t>(b)]);
    return random_tensor(rng, swapped, low, high, dtype).transpose(a, b);
  }
  Shape larger = shape;
  larger[static_cast<std::size_t>(a)] = 2 * larger[static_cast<std::size_t>(a)] + 1;
  return random_tensor(rng, larger, low, high, dtype)
      .narrow(a, 1, shape[static_cast<std::size_t>(a)], 2);
}

/// A shape that broadcasts to `shape`: some sizes become 1, some leading ones go.
inline Shape random_broadcastable(Rng& rng, const Shape& shape) {
  Shape result = shape;
  for (std::int64_t& size : result) {
    if (random_int(rng, 0, 2) == 0) size = 1;
  }
  const auto gone = random_int(rng, 0, static_cast<std::int64_t>(shape.size()));
  if (random_int(rng, 0, 1) == 0) result.erase(result.begin(), result.begin() + gone);
  return result;
}

}  // namespace gladius::testing
