// Root mean square layer normalization.
#pragma once

#include "gladius/nn/module.h"

namespace gladius::nn {

/// x [..., C] -> x / sqrt(mean(x^2) + eps) * `weight` [C].
class RMSNorm : public Module {
 public:
  RMSNorm(std::int64_t size, double eps);
  Variable forward(const Variable& x) const;

  Variable weight;

 protected:
  void reset_own_parameters(Generator&) override;

 private:
  double eps_;
};

}  // namespace gladius::nn
