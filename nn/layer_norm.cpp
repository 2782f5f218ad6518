#include "gladius/nn/layer_norm.h"

#include "gladius/autograd/ops/layer_norm.h"
#include "gladius/nn/init.h"

namespace gladius::nn {

LayerNorm::LayerNorm(std::int64_t size, double eps, bool with_bias)
    : weight(register_parameter("weight", {size}, ParameterRole::norm)), eps_(eps) {
  if (with_bias) bias = register_parameter("bias", {size}, ParameterRole::bias);
}

Variable LayerNorm::forward(const Variable& x) const { return layer_norm(x, weight, bias, eps_); }

void LayerNorm::reset_own_parameters(Generator&) {
  init::ones_(weight);
  if (bias.defined()) init::zeros_(bias);
}

}  // namespace gladius::nn
