#include "gladius/autograd/ops/reduce.h"

#include <algorithm>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {
namespace {

// A reduced gradient, stretched to the shape before the reduction.
Variable restore(const Variable& g, const Shape& shape, const Dims& dims) {
  return expand(reshape(g, reduced_shape("sum", shape, dims, true)), shape);
}

double reduced_count(const char* op, const Variable& x, const Dims& dims) {
  const Shape kept = reduced_shape(op, x.shape(), dims, true);
  double count = 1;
  for (std::size_t d = 0; d < kept.size(); ++d) {
    if (kept[d] != x.shape()[d]) count *= static_cast<double>(x.shape()[d]);
  }
  return count;
}

Variable extreme(const char* name, Tensor value, const Variable& x, const Dims& dims) {
  SavedVariable result = SavedVariable::output(value);
  return record(name, std::move(value), {x},
                [=, u = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  const Tensor& in = u.tensor(context);
                  const Tensor best =
                      result.tensor(context).reshape(reduced_shape("amax", in.shape(), dims, true));
                  const Tensor chosen = eq(in, best.expand(in.shape())).to(in.dtype());
                  const Tensor share = div(chosen, sum(chosen, dims, true));
                  return std::vector{restore(g, in.shape(), dims) * Variable(share)};
                });
}

}  // namespace

Variable sum(const Variable& x, const Dims& dims, bool keepdim) {
  return record("sum", sum(x.value(), dims, keepdim), {x},
                [=, shape = x.shape()](const Variable& g, const BackwardContext&) {
                  return std::vector{restore(g, shape, dims)};
                });
}

Variable mean(const Variable& x, const Dims& dims, bool keepdim) {
  return record("mean", mean(x.value(), dims, keepdim), {x},
                [=, shape = x.shape(), share = 1 / reduced_count("mean", x, dims)](
                    const Variable& g, const BackwardContext&) {
                  return std::vector{restore(mul(g, share), shape, dims)};
                });
}

Variable var(const Variable& x, const Dims& dims, double correction, bool keepdim) {
  check_arithmetic("var", x.dtype());
  const double freedom = std::max(reduced_count("var", x, dims) - correction, 0.0);
  const Tensor distance = sub(x.value(), mean(x.value(), dims, true));
  const Tensor total = sum(mul(distance, distance), dims, keepdim);
  // The mean has no part in the gradient: it is where the sum of squares is smallest.
  return record("var", div(total, Tensor::full({}, freedom, x.dtype())), {x},
                [=, saved = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  const Variable in = saved.unpack(context);
                  const Variable centred = in - mean(in, dims, true);
                  return std::vector{restore(g, in.shape(), dims) * (centred * (2 / freedom))};
                });
}

Variable amax(const Variable& x, const Dims& dims, bool keepdim) {
  return extreme("amax", amax(x.value(), dims, keepdim), x, dims);
}

Variable amin(const Variable& x, const Dims& dims, bool keepdim) {
  return extreme("amin", amin(x.value(), dims, keepdim), x, dims);
}

Variable logsumexp(const Variable& x, const Dims& dims, bool keepdim) {
  Tensor value = logsumexp(x.value(), dims, keepdim);
  SavedVariable result = SavedVariable::output(value);
  return record("logsumexp", std::move(value), {x},
                [=, u = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  const Variable in = u.unpack(context);
                  const Variable out = restore(result.unpack(context), in.shape(), dims);
                  return std::vector{restore(g, in.shape(), dims) * exp(in - out)};
                });
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("sum_to", sum_to(x.value(), shape), {x},
                [from = x.shape()](const Variable& g, const BackwardContext&) {
                  return std::vector{expand(g, from)};
                });
}

}  // namespace gladius
