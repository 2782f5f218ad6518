#include "gladius/autograd/ops/arithmetic.h"

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/functions.h"
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
                  // Divided twice: y * y would leave the range of floats earlier than the quotient
                  // does.
                  return std::vector{context.needs(0) ? sum_to(g / y, sa) : Variable(),
                                     context.needs(1)
                                         ? sum_to(neg(g * (u.unpack(context) / y / y)), sb)
                                         : Variable()};
                });
}

namespace {

// A scalar of x's type.
Variable number(double value, const Variable& x) {
  return Variable(Tensor::full({}, value, x.dtype()));
}

Variable where_holds(const Tensor& condition, double value, const Variable& otherwise) {
  return where(condition, number(value, otherwise), otherwise);
}

}  // namespace

Variable pow(const Variable& a, const Variable& b) {
  Tensor value = pow(a.value(), b.value());
  SavedVariable result = SavedVariable::output(value);
  return record("pow", std::move(value), {a, b},
                [=, u = SavedVariable(a), v = SavedVariable(b), sa = a.shape(), sb = b.shape()](
                    const Variable& g, const BackwardContext& context) {
                  const Variable x = u.unpack(context), y = v.unpack(context);
                  const Tensor zero = Tensor::zeros({}, x.dtype());
                  const Tensor at_zero = eq(x.value(), zero);
                  std::vector<Variable> grads(2);
                  // Bases are replaced by 1 where the convention is a gradient of 0: 0 * 1^-1,
                  // log(1).
                  if (context.needs(0)) {
                    const Tensor regular = gt(abs(x.value()), zero);  // neither 0 nor NaN
                    const Variable base = where(regular, x, where_holds(eq(y.value(), zero), 1, x));
                    grads[0] = sum_to(g * (y * pow(base, y - 1)), sa);
                  }
                  if (context.needs(1)) {
                    const Variable base =
                        where_holds(logical_and(at_zero, ge(y.value(), zero)), 1, x);
                    grads[1] = sum_to(g * (result.unpack(context) * log(base)), sb);
                  }
                  return grads;
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

Variable sub(const Variable& x, double value) { return add(x, -value); }
Variable sub(double value, const Variable& x) { return sub(number(value, x), x); }
Variable div(const Variable& x, double value) { return div(x, number(value, x)); }
Variable div(double value, const Variable& x) { return div(number(value, x), x); }
Variable pow(double base, const Variable& x) { return pow(number(base, x), x); }

Variable pow(const Variable& x, double exponent) {
  return record("pow", pow(x.value(), exponent), {x},
                [=, u = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  if (exponent == 0)
                    return std::vector{Variable(Tensor::zeros(g.shape(), g.dtype()))};
                  return std::vector{g * mul(pow(u.unpack(context), exponent - 1), exponent)};
                });
}

namespace {

// Of maximum or minimum, by which of two elements loses: the gradient goes to the other, in halves
// where they are equal.
Variable choose(const char* name, Tensor value, const Variable& a, const Variable& b,
                Tensor (*loses)(const Tensor&, const Tensor&)) {
  return record(name, std::move(value), {a, b},
                [=, u = SavedVariable(a), v = SavedVariable(b), sa = a.shape(), sb = b.shape()](
                    const Variable& g, const BackwardContext& context) {
                  const Tensor& x = u.tensor(context);
                  const Tensor& y = v.tensor(context);
                  const Variable half = mul(g, 0.5);
                  const Tensor tied = eq(x, y);
                  const auto share = [&](const Tensor& lost, const Shape& shape) {
                    return sum_to(where(tied, half, where_holds(lost, 0, g)), shape);
                  };
                  return std::vector{context.needs(0) ? share(loses(x, y), sa) : Variable(),
                                     context.needs(1) ? share(loses(y, x), sb) : Variable()};
                });
}

}  // namespace

Variable maximum(const Variable& a, const Variable& b) {
  return choose("maximum", maximum(a.value(), b.value()), a, b, lt);
}

Variable minimum(const Variable& a, const Variable& b) {
  return choose("minimum", minimum(a.value(), b.value()), a, b, gt);
}

Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  return record("where", where(condition, a.value(), b.value()), {a, b},
                [saved = SavedVariable(Variable(condition)), sa = a.shape(), sb = b.shape()](
                    const Variable& g, const BackwardContext& context) {
                  const Tensor& test = saved.tensor(context);
                  const Variable zero = number(0, g);
                  return std::vector{
                      context.needs(0) ? sum_to(where(test, g, zero), sa) : Variable(),
                      context.needs(1) ? sum_to(where(test, zero, g), sb) : Variable()};
                });
}

}  // namespace gladius
