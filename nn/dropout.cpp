#include "gladius/nn/dropout.h"

#include <fmt/format.h>

#include "gladius/autograd/ops/dropout.h"

namespace gladius::nn {

Dropout::Dropout(double p, Generator& generator) : p_(p), generator_(generator) {
  if (!(0 <= p && p <= 1)) {
    throw Error(fmt::format("Dropout: a probability of {}; expected one in [0, 1]", p));
  }
}

Variable Dropout::forward(const Variable& x) const {
  return dropout(x, p_, generator_, is_training());
}

}  // namespace gladius::nn
