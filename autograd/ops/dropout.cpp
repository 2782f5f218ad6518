#include "gladius/autograd/ops/dropout.h"

#include <fmt/format.h>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {

Variable dropout(const Variable& x, double p, Generator& generator, bool training) {
  check_arithmetic("dropout", x.dtype());
  if (!(0 <= p && p <= 1)) {
    throw Error(fmt::format("dropout: {} with a probability of {}; expected one in [0, 1]",
                            x.value().describe(), p));
  }
  if (!training) return x;
  const Tensor mask = Tensor::empty(x.shape(), x.dtype());
  fill_bernoulli_(mask, generator, 1 - p, p < 1 ? 1 / (1 - p) : 0);
  return record(
      "dropout", mul(x.value(), mask), {x},
      [=](const Variable& g, const BackwardContext&) { return std::vector{g * Variable(mask)}; });
}

}  // namespace gladius
