// The gated feed-forward block of Llama.
#pragma once

#include "gladius/nn/linear.h"

namespace gladius::nn {

/// x [..., C] -> down(silu(gate(x)) * up(x)) (Shazeer 2020, arXiv:2002.05202), with parameters
/// gate_proj, up_proj [F, C] and down_proj [C, F].
class SwiGLU : public Module {
 public:
  SwiGLU(std::int64_t hidden_size, std::int64_t intermediate_size, bool bias = false);
  Variable forward(const Variable& x) const;

  /// Elements that the operations keep for a token until the backward pass, the input not counted.
  std::int64_t saved_per_token() const { return 3 * gate_proj_->weight.size(0); }

 private:
  std::shared_ptr<Linear> gate_proj_, up_proj_, down_proj_;
};

}  // namespace gladius::nn
