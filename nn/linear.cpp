#include "gladius/nn/linear.h"

#include "gladius/autograd/ops/matmul.h"

namespace gladius {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias)
    : weight(register_parameter("weight", {out_features, in_features})) {
  if (with_bias) bias = register_parameter("bias", {out_features});
}

Variable Linear::forward(const Variable& x) const { return linear(x, weight, bias); }

}  // namespace gladius
