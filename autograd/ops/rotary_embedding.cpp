#include "gladius/tensor/kernels/rotary_embedding.h"

#include <fmt/format.h>

#include <span>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/rotary_embedding.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

void check(const Tensor& x, const Tensor& cos, const Tensor& sin, const Tensor& positions) {
  const bool fits = x.dim() >= 2 && x.size(-1) % 2 == 0 && cos.dim() == 2 &&
                    cos.size(1) == x.size(-1) / 2 && sin.shape() == cos.shape() &&
                    positions.shape() == Shape(x.shape().begin(), x.shape().end() - 2);
  if (!fits) {
    throw ShapeError(
        fmt::format("rotary_embedding: input {} does not fit tables {} and positions {}",
                    to_string(x.shape()), to_string(cos.shape()), to_string(positions.shape())));
  }
  if (cos.dtype() != x.dtype() || sin.dtype() != x.dtype()) {
    throw DtypeError(
        fmt::format("rotary_embedding: input {} with tables {}", x.describe(), cos.describe()));
  }
}

// `positions`: contiguous, I64.
void check_positions(const Tensor& cos, const Tensor& positions) {
  const std::span list(positions.data<std::int64_t>(), static_cast<std::size_t>(positions.numel()));
  for (const std::int64_t position : list) {
    if (position < 0 || position >= cos.size(0)) {
      throw ShapeError(
          fmt::format("rotary_embedding: position {} is not below {}", position, cos.size(0)));
    }
  }
}

// As the operation has them: contiguous and checked.
struct Angles {
  Tensor cos, sin, positions;
};

Tensor rotated(const Tensor& x, const Angles& angles, bool inverse) {
  const Tensor in = x.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const std::int64_t H = x.size(-2), D = x.size(-1), stride = H * D;
  dispatch_floating("rotary_embedding", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(angles.positions.numel(), 16, [&](std::int64_t begin, std::int64_t end) {
      kernels::rotary_embedding(in.data<T>() + begin * stride, stride, y.data<T>() + begin * stride,
                                stride, angles.cos.data<T>(), angles.sin.data<T>(),
                                angles.positions.data<std::int64_t>() + begin, end - begin, H, D,
                                inverse);
    });
  });
  return y;
}

// Linear in x; its gradient is the rotation the other way.
Variable rotate(const Variable& x, const Angles& angles, bool inverse) {
  return record("rotary_embedding", rotated(x.value(), angles, inverse), {x},
                [=](const Variable& g, const BackwardContext&) {
                  return std::vector{rotate(g, angles, !inverse)};
                });
}

}  // namespace

Variable rotary_embedding(const Variable& x, const Tensor& cos, const Tensor& sin,
                          const Tensor& positions) {
  check(x.value(), cos, sin, positions);
  const Tensor rows = as_indices("rotary_embedding", "positions", positions).contiguous();
  check_positions(cos, rows);
  return rotate(x, {cos.contiguous(), sin.contiguous(), rows}, false);
}

}  // namespace gladius
