#include "gladius/nn/rms_norm.h"

#include "gladius/autograd/ops/rms_norm.h"
#include "gladius/nn/init.h"

namespace gladius::nn {

RMSNorm::RMSNorm(std::int64_t size, double eps)
    : weight(register_parameter("weight", {size}, ParameterRole::norm)), eps_(eps) {}

Variable RMSNorm::forward(const Variable& x) const { return rms_norm(x, weight, eps_); }

void RMSNorm::reset_own_parameters(Generator&) { init::ones_(weight); }

}  // namespace gladius::nn
