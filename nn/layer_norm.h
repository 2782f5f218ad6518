// Layer normalization.
#pragma once

#include "gladius/nn/module.h"

namespace gladius::nn {

/// x [..., C] -> (x - mean(x)) / sqrt(var(x) + eps) * `weight` [C] + `bias` [C].
class LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t size, double eps = 1e-5, bool bias = true);
  Variable forward(const Variable& x) const;

  Variable weight;
  Variable bias;  // undefined without one

 protected:
  void reset_own_parameters(Generator&) override;

 private:
  double eps_;
};

}  // namespace gladius::nn
