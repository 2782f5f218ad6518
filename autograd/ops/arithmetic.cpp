#include "gladius/autograd/ops/arithmetic.h"

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {

Variable add(const Variable& a, const Variable& b) {
  return record(
      "add", add(a.value(), b.value()), {a, b},
      [sa = a.shape(), sb = b.shape()](const Variable& g, const BackwardContext& context) {
        return std::vector{context.needs(0) ? sum_to(g, sa) : Variable(),
                           context.needs(1) ? sum_to(g, sb) : Variable()};
      });
}

Variable sub(const Variable& a, const Variable& b) {
  return record(
      "sub", sub(a.value(), b.value()), {a, b},
      [sa = a.shape(), sb = b.shape()](const Variable& g, const BackwardContext& context) {
        return std::vector{context.needs(0) ? sum_to(g, sa) : Variable(),
                           context.needs(1) ? sum_to(neg(g), sb) : Variable()};
      });
}

Variable mul(const Variable& a, const Variable& b) {
  return record("mul", mul(a.value(), b.value()), {a, b},
                [u = SavedVariable(a), v = SavedVariable(b), sa = a.shape(), sb = b.shape()](
                    const Variable& g, const BackwardContext& context) {
                  return std::vector{
                      context.needs(0) ? sum_to(g * v.unpack(context), sa) : Variable(),
                      context.needs(1) ? sum_to(g * u.unpack(context), sb) : Variable()};
                });
}

Variable div(const Variable& a, const Variable& b) {
  return record("div", div(a.value(), b.value()), {a, b},
                [u = SavedVariable(a), v = SavedVariable(b), sa = a.shape(), sb = b.shape()](
                    const Variable& g, const BackwardContext& context) {
                  const Variable y = v.unpack(context);
                  return std::vector{context.needs(0) ? sum_to(g / y, sa) : Variable(),
                                     context.needs(1)
                                         ? sum_to(neg(g * u.unpack(context) / (y * y)), sb)
                                         : Variable()};
                });
}

Variable add(const Variable& x, double value) {
  return record("add", add(x.value(), value), {x},
                [](const Variable& g, const BackwardContext&) { return std::vector{g}; });
}

Variable mul(const Variable& x, double value) {
  return record("mul", mul(x.value(), value), {x}, [=](const Variable& g, const BackwardContext&) {
    return std::vector{mul(g, value)};
  });
}

Variable neg(const Variable& x) {
  return record("neg", neg(x.value()), {x},
                [](const Variable& g, const BackwardContext&) { return std::vector{neg(g)}; });
}

Variable pow(const Variable& x, double exponent) {
  return record("pow", pow(x.value(), exponent), {x},
                [=, u = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  if (exponent == 0) return std::vector{mul(g, 0.0)};
                  return std::vector{g * mul(pow(u.unpack(context), exponent - 1), exponent)};
                });
}

namespace {

// maximum(a, b) = a where a > b; the gradient goes the same ways, in halves where they are equal.
Variable choose_larger(const char* name, Tensor value, const Variable& a, const Variable& b,
                       bool larger) {
  return record(name, std::move(value), {a, b},
                [=, u = SavedVariable(a), v = SavedVariable(b), sa = a.shape(), sb = b.shape()](
                    const Variable& g, const BackwardContext& context) {
                  const Tensor& x = u.tensor(context);
                  const Tensor& y = v.tensor(context);
                  const Tensor b_wins = larger ? lt(x, y) : lt(y, x);
                  const Variable half = mul(g, 0.5);
                  const Variable zero = mul(g, 0.0);
                  const Variable tied = where(eq(x, y), half, where(b_wins, zero, g));
                  return std::vector{context.needs(0) ? sum_to(tied, sa) : Variable(),
                                     context.needs(1) ? sum_to(g - tied, sb) : Variable()};
                });
}

}  // namespace

Variable maximum(const Variable& a, const Variable& b) {
  return choose_larger("maximum", maximum(a.value(), b.value()), a, b, true);
}

Variable minimum(const Variable& a, const Variable& b) {
  return choose_larger("minimum", minimum(a.value(), b.value()), a, b, false);
}

Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  return record(
      "where", where(condition, a.value(), b.value()), {a, b},
      [=, sa = a.shape(), sb = b.shape()](const Variable& g, const BackwardContext& context) {
        const Variable zero(Tensor::zeros({}, g.dtype()));
        return std::vector{context.needs(0) ? sum_to(where(condition, g, zero), sa) : Variable(),
                           context.needs(1) ? sum_to(where(condition, zero, g), sb) : Variable()};
      });
}

}  // namespace gladius
