// The losses of losses.h that are compositions over elements.
#include <fmt/format.h>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/elementwise.h"

namespace gladius {
namespace {

void check_pair(const char* op, const Variable& input, const Variable& target) {
  if (input.shape() != target.shape()) {
    throw ShapeError(fmt::format("{}: input {} and target {} differ in shape; expand one of them",
                                 op, input.value().describe(), target.value().describe()));
  }
  if (input.dtype() != target.dtype()) {
    throw DtypeError(fmt::format("{}: input {} and target {} differ in type; convert one of them",
                                 op, input.value().describe(), target.value().describe()));
  }
}

Variable reduce(const Variable& terms, LossReduction reduction) {
  switch (reduction) {
    case LossReduction::none:
      return terms;
    case LossReduction::mean:
      return mean(terms);
    case LossReduction::sum:
      return sum(terms);
    case LossReduction::batchmean:
      return sum(terms) * (terms.dim() == 0 ? 1 : 1 / static_cast<double>(terms.size(0)));
  }
  __builtin_unreachable();
}

}  // namespace

Variable mse_loss(const Variable& input, const Variable& target, LossReduction reduction) {
  check_pair("mse_loss", input, target);
  if (reduction == LossReduction::batchmean) {
    throw ConfigError("mse_loss: reduction batchmean; expected none, mean or sum");
  }
  const Variable difference = input - target;
  return reduce(difference * difference, reduction);
}

Variable kl_div(const Variable& log_input, const Variable& target, LossReduction reduction,
                bool log_target) {
  check_pair("kl_div", log_input, target);
  if (log_target) return reduce(exp(target) * (target - log_input), reduction);
  const Tensor zero = eq(target.value(), Tensor::zeros({}, target.dtype()));
  const Variable one(Tensor::ones({}, target.dtype()));
  const Variable log_of = log(where(zero, one, target));
  return reduce(target * log_of - target * log_input, reduction);
}

}  // namespace gladius
