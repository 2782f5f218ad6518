#include "gladius/tensor/kernels/rotary_embedding.h"

#include <fmt/format.h>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/rotary_embedding.h"
#include "gladius/tensor/dispatch.h"
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
  for (const std::int64_t position : positions.to_vector<std::int64_t>()) {
    if (position < 0 || position >= cos.size(0)) {
      throw ShapeError(
          fmt::format("rotary_embedding: position {} is not below {}", position, cos.size(0)));
    }
  }
}

Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, const Tensor& positions,
              bool inverse) {
  const Tensor in = x.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const std::int64_t H = x.size(-2), D = x.size(-1), stride = H * D;
  dispatch_floating("rotary_embedding", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(positions.numel(), 16, [&](std::int64_t begin, std::int64_t end) {
      kernels::rotary_embedding(in.data<T>() + begin * stride, stride, y.data<T>() + begin * stride,
                                stride, cos.data<T>(), sin.data<T>(),
                                positions.data<std::int64_t>() + begin, end - begin, H, D, inverse);
    });
  });
  return y;
}

}  // namespace

Variable rotary_embedding(const Variable& x, const Tensor& cos, const Tensor& sin,
                          const Tensor& positions) {
  check(x.value(), cos, sin, positions);
  const Tensor c = cos.contiguous(), s = sin.contiguous(), p = positions.contiguous();
  return record("rotary_embedding", rotate(x.value(), c, s, p, false), {x},
                [=](const Variable& g, const BackwardContext& context) {
                  refuse_double_backward(context);
                  return std::vector{Variable(rotate(g.value(), c, s, p, true))};
                });
}

}  // namespace gladius
