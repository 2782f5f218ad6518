#include "gladius/autograd/ops/swiglu.h"

#include <fmt/format.h>

#include <utility>

#include "gladius/autograd/anomaly.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/swiglu.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

constexpr std::int64_t kGrain = 1 << 13;  // elements a thread is worth

std::vector<Variable> backward(const Tensor& gate, const Tensor& up, const Tensor& dy) {
  const Tensor dgate = Tensor::empty(gate.shape(), gate.dtype());
  const Tensor dup = Tensor::empty(gate.shape(), gate.dtype());
  dispatch_floating("swiglu", gate.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(gate.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t n = end - begin;
      kernels::swiglu_backward(gate.data<T>() + begin, up.data<T>() + begin, dy.data<T>() + begin,
                               dgate.data<T>() + begin, dup.data<T>() + begin, 1, n, n, n);
    });
  });
  return {Variable(dgate), Variable(dup)};
}

// The same in operations on variables.
std::vector<Variable> recorded_backward(const Variable& gate, const Variable& up,
                                        const Variable& g) {
  const Variable open = sigmoid(gate);
  const Variable slope = open * (gate * (-open + 1.0) + 1.0);
  return {g * up * slope, g * gate * open};
}

void check_swiglu(const Variable& gate, const Variable& up) {
  if (gate.shape() != up.shape()) {
    throw ShapeError(fmt::format("swiglu: gate {} and up {} differ", gate.value().describe(),
                                 up.value().describe()));
  }
  if (gate.dtype() != up.dtype()) {
    throw DtypeError(fmt::format("swiglu: gate {} and up {} differ in type",
                                 gate.value().describe(), up.value().describe()));
  }
}

// All contiguous; y may be the gate.
void swiglu_into(const Tensor& gate, const Tensor& up, Tensor& y) {
  dispatch_floating("swiglu", gate.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(gate.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t n = end - begin;
      kernels::swiglu(gate.data<T>() + begin, up.data<T>() + begin, y.data<T>() + begin, 1, n, n,
                      n);
    });
  });
}

}  // namespace

Variable swiglu(const Variable& gate, const Variable& up) {
  check_swiglu(gate, up);
  const Tensor a = gate.value().contiguous();
  const Tensor b = up.value().contiguous();
  Tensor y = Tensor::empty(a.shape(), a.dtype());
  swiglu_into(a, b, y);
  return record("swiglu", std::move(y), {gate, up},
                [u = SavedVariable(Variable(a, gate.node()), Keep::as_activation),
                 v = SavedVariable(Variable(b, up.node()), Keep::as_activation)](
                    const Variable& g, const BackwardContext& context) {
                  if (grad_enabled()) {
                    return recorded_backward(u.unpack(context), v.unpack(context), g);
                  }
                  return backward(u.tensor(context), v.tensor(context), g.value().contiguous());
                });
}

Variable swiglu(Variable&& gate, const Variable& up) {
  // A message about an anomaly shows the gate.
  const bool needed = grad_enabled() || anomaly_detection_enabled();
  if (needed || !gate.is_exclusive()) return swiglu(std::as_const(gate), up);
  check_swiglu(gate, up);
  Tensor y = gate.value();
  swiglu_into(y, up.value().contiguous(), y);
  return Variable(std::move(y));
}

}  // namespace gladius
