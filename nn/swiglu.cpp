#include "gladius/nn/swiglu.h"

#include <utility>

#include "gladius/autograd/ops/swiglu.h"

namespace gladius::nn {

SwiGLU::SwiGLU(std::int64_t hidden_size, std::int64_t intermediate_size, bool bias)
    : gate_proj_(register_module("gate_proj",
                                 std::make_shared<Linear>(hidden_size, intermediate_size, bias))),
      up_proj_(register_module("up_proj",
                               std::make_shared<Linear>(hidden_size, intermediate_size, bias))),
      down_proj_(register_module("down_proj",
                                 std::make_shared<Linear>(intermediate_size, hidden_size, bias))) {}

Variable SwiGLU::forward(const Variable& x) const {
  // Unless gradients need them, gate and up are freed before the last product.
  const auto gated = [&] {
    auto [gate, up] = forward_each(x, *gate_proj_, *up_proj_);
    return swiglu(std::move(gate), up);
  };
  return down_proj_->forward(gated());
}

}  // namespace gladius::nn
