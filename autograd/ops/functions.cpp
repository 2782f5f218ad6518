#include "gladius/autograd/ops/functions.h"

#include <cmath>
#include <numbers>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {
namespace {

// y = f(x) with dy/dx as a function of y.
template <class Derivative>
Variable from_output(const char* name, Tensor y, const Variable& x, Derivative derivative) {
  SavedVariable saved = SavedVariable::output(y);
  return record(name, std::move(y), {x},
                [=, saved = std::move(saved)](const Variable& g, const BackwardContext& context) {
                  return std::vector{g * derivative(saved.unpack(context))};
                });
}

// y = f(x) with dy/dx as a function of x.
template <class Derivative>
Variable from_input(const char* name, Tensor y, const Variable& x, Derivative derivative) {
  return record(name, std::move(y), {x},
                [=, saved = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  return std::vector{g * derivative(saved.unpack(context))};
                });
}

// y = f(x) with dy/dx = 1 where `passes` of x holds, else 0.
template <class Passes>
Variable gated(const char* name, Tensor y, const Variable& x, Passes passes) {
  return record(name, std::move(y), {x},
                [=, saved = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  const Variable zero(Tensor::zeros({}, g.dtype()));
                  return std::vector{where(passes(saved.tensor(context)), g, zero)};
                });
}

}  // namespace

Variable exp(const Variable& x) {
  return from_output("exp", exp(x.value()), x, [](const Variable& y) { return y; });
}

Variable log(const Variable& x) {
  return from_input("log", log(x.value()), x, [](const Variable& u) { return 1 / u; });
}

Variable sqrt(const Variable& x) {
  return from_output("sqrt", sqrt(x.value()), x, [](const Variable& y) { return 0.5 / y; });
}

Variable rsqrt(const Variable& x) {
  return from_output("rsqrt", rsqrt(x.value()), x,
                     [](const Variable& y) { return -0.5 * (y * y * y); });
}

Variable tanh(const Variable& x) {
  return from_output("tanh", tanh(x.value()), x, [](const Variable& y) { return 1 - y * y; });
}

Variable sigmoid(const Variable& x) {
  return from_output("sigmoid", sigmoid(x.value()), x,
                     [](const Variable& y) { return y * (1 - y); });
}

Variable silu(const Variable& x) {
  return from_input("silu", silu(x.value()), x, [](const Variable& u) {
    const Variable s = sigmoid(u);
    return s + u * s * (1 - s);
  });
}

namespace {

// phi(x) (2 - x^2) with the normal distribution's density phi is the derivative.
Variable gelu_slope(const Variable& x) {
  return from_input("gelu_slope", gelu_slope(x.value()), x, [](const Variable& u) {
    const Variable square = u * u;
    return mul(exp(mul(square, -0.5)), 1 / std::sqrt(2 * std::numbers::pi)) * (2 - square);
  });
}

}  // namespace

Variable gelu(const Variable& x) {
  return from_input("gelu", gelu(x.value()), x, [](const Variable& u) { return gelu_slope(u); });
}

Variable relu(const Variable& x) {
  return gated("relu", relu(x.value()), x,
               [](const Tensor& u) { return ne(relu(u), Tensor::zeros({}, u.dtype())); });
}

Variable abs(const Variable& x) {
  return from_input("abs", abs(x.value()), x,
                    [](const Variable& u) { return Variable(sign(u.value())); });
}

Variable clamp(const Variable& x, double low, double high) {
  return gated("clamp", clamp(x.value(), low, high), x, [=](const Tensor& u) {
    return logical_and(ge(u, Tensor::full({}, low, u.dtype())),
                       le(u, Tensor::full({}, high, u.dtype())));
  });
}

}  // namespace gladius
