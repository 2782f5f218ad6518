#include "gladius/models/narrowing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/dispatch.h"

namespace gladius {
namespace {

constexpr double kManyZeros = 0.01;

// The magnitudes that a type rounds to infinity (from `beyond` on) and to zero (up to `vanishing`):
// half a step above the largest, half of the smallest number above zero.
struct Limits {
  double largest, beyond, vanishing;
};

Limits limits_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::F16:
      return {65504, 65520, 0x1p-25};
    case Dtype::BF16:
      return {0x1.FEp127, 0x1.FFp127, 0x1p-134};
    case Dtype::F32:
      return {0x1.FFFFFEp127, 0x1.FFFFFFp127, 0x1p-150};
    default:
      return {std::numeric_limits<double>::max(), INFINITY, 0};
  }
}

struct Losses {
  std::int64_t overflows = 0;
  double largest = 0;  // of the magnitudes that overflow
  std::int64_t vanishing = 0;
  std::int64_t not_finite = 0;
};

Losses losses_of(const Tensor& tensor, const Limits& limits) {
  const Tensor dense = tensor.contiguous();
  Losses losses;
  dispatch(dense.dtype(), [&](auto type) {
    using T = decltype(type);
    const T* values = dense.data<T>();
    for (std::int64_t i = 0; i < dense.numel(); ++i) {
      const double size = std::abs(convert_element<double>(values[i]));
      if (size < limits.beyond && size > limits.vanishing) continue;  // nearly all
      if (!std::isfinite(size)) {
        ++losses.not_finite;
      } else if (size >= limits.beyond) {
        ++losses.overflows;
        losses.largest = std::max(losses.largest, size);
      } else if (size > 0) {
        ++losses.vanishing;
      }
    }
  });
  return losses;
}

}  // namespace

void check_narrowing(const NamedTensors& tensors, Dtype dtype,
                     const std::function<void(const std::string&)>& warn) {
  const Limits limits = limits_of(dtype);
  const auto tell = [&](const std::string& text) {
    if (warn) warn(text);
  };
  for (const auto& [name, tensor] : tensors) {
    const bool quantised = is_quantized(tensor.dtype());
    if (tensor.dtype() == dtype || !(quantised || is_floating_point(tensor.dtype()))) continue;
    const Losses losses = losses_of(quantised ? tensor.to(Dtype::F32) : tensor, limits);
    if (losses.overflows > 0) {
      throw FormatError(fmt::format(
          "tensor {}: {} of {} values would become infinite as {}, whose largest is {} (the "
          "largest of them is {}); {}",
          in_quotes(name), losses.overflows, tensor.numel(), dtype_name(dtype), limits.largest,
          losses.largest,
          dtype == Dtype::F16 && losses.largest < limits_of(Dtype::BF16).beyond
              ? "store the model as bf16, which has the range of f32"
              : "keep the type that it has"));
    }
    if (losses.not_finite > 0) {
      tell(fmt::format("tensor {}: {} of {} values are NaN or infinite, and are passed on",
                       in_quotes(name), losses.not_finite, tensor.numel()));
    }
    if (static_cast<double>(losses.vanishing) >=
        kManyZeros * static_cast<double>(std::max<std::int64_t>(tensor.numel(), 1))) {
      if (losses.vanishing == 0) continue;
      tell(fmt::format("tensor {}: {} of {} values are too small for {} and become zero",
                       in_quotes(name), losses.vanishing, tensor.numel(), dtype_name(dtype)));
    }
  }
}

}  // namespace gladius
