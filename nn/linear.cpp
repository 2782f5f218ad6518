#include "gladius/nn/linear.h"

#include <algorithm>
#include <cmath>

#include "gladius/autograd/ops/matmul.h"
#include "gladius/nn/init.h"

namespace gladius::nn {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias)
    : weight(register_parameter("weight", {out_features, in_features})) {
  if (with_bias) bias = register_parameter("bias", {out_features}, ParameterRole::bias);
}

Variable Linear::forward(const Variable& x) const { return linear(x, weight, bias); }

void Linear::reset_own_parameters(Generator& generator) {
  // U(-1/sqrt(in), 1/sqrt(in)) for both.
  init::kaiming_uniform_(weight, std::sqrt(5.0), init::Fan::kIn, generator);
  if (!bias.defined()) return;
  const double bound =
      1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(1, weight.size(1))));
  init::uniform_(bias, -bound, bound, generator);
}

}  // namespace gladius::nn
