#include "gladius/autograd/ops/reduce.h"

#include <cmath>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {
namespace {

// A reduced gradient, stretched to the shape before the reduction.
Variable restore(const Variable& g, const Shape& shape, const Dims& dims) {
  return expand(reshape(g, reduced_shape("sum", shape, dims, true)), shape);
}

double reduced_count(const Variable& x, const Dims& dims) {
  const Shape kept = reduced_shape("mean", x.shape(), dims, true);
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
  return mul(sum(x, dims, keepdim), 1 / reduced_count(x, dims));
}

Variable var(const Variable& x, const Dims& dims, double correction, bool keepdim) {
  const Variable centred = x - mean(x, dims, true);
  return mul(sum(centred * centred, dims, keepdim), 1 / (reduced_count(x, dims) - correction));
}

Variable amax(const Variable& x, const Dims& dims, bool keepdim) {
  return extreme("amax", amax(x.value(), dims, keepdim), x, dims);
}

Variable amin(const Variable& x, const Dims& dims, bool keepdim) {
  return extreme("amin", amin(x.value(), dims, keepdim), x, dims);
}

Variable logsumexp(const Variable& x, const Dims& dims, bool keepdim) {
  // Shifted by the largest, as a constant; an infinite largest shifts by 0 (inf - inf is no
  // number).
  Tensor shift = amax(x.value(), dims, true);
  shift = where(lt(abs(shift), Tensor::full({}, INFINITY, shift.dtype())), shift,
                Tensor::zeros({}, shift.dtype()));
  const Variable total = sum(exp(x - Variable(shift)), dims, keepdim);
  return log(total) + Variable(shift.reshape(total.shape()));
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("sum_to", sum_to(x.value(), shape), {x},
                [from = x.shape()](const Variable& g, const BackwardContext&) {
                  return std::vector{expand(g, from)};
                });
}

}  // namespace gladius
