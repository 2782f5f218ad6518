// A linear layer.
#pragma once

#include "gladius/nn/module.h"

namespace gladius::nn {

/// x [..., in] -> x W^T + b [..., out], with `weight` [out, in] and, if wanted, `bias` [out].
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true);
  Variable forward(const Variable& x) const;

  Variable weight;
  Variable bias;  // undefined without one

 protected:
  void reset_own_parameters(Generator& generator) override;
};

}  // namespace gladius::nn
