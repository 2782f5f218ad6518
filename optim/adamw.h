// Adam with decoupled weight decay.
#pragma once

#include "gladius/optim/optimizer.h"

namespace gladius {

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

/// Loshchilov & Hutter 2017 (arXiv:1711.05101), with the arithmetic of torch.optim.AdamW; all
/// parameters are decayed, as there. F32 and F64.
class AdamW : public Optimizer {
 public:
  /// ConfigError for options outside of their ranges.
  AdamW(NamedVariables parameters, const AdamWOptions& options = {});

  void step(double grad_scale = 1) override;
  /// `NAME.step` (I64 [1]), `NAME.exp_avg` and `NAME.exp_avg_sq` of each parameter that has been
  /// updated.
  NamedTensors state_dict() const override;
  void load_state_dict(const NamedTensors& state) override;

 private:
  // Each parameter counts its own updates, as in PyTorch.
  struct State {
    Tensor exp_avg, exp_avg_sq;  // undefined before the first update
    std::int64_t steps = 0;
  };

  /// Whether parameter i, which has a gradient, can be updated; Error and ShapeError name it.
  void check_step(std::size_t i) const;
  void update(const Tensor& value, const Tensor& grad, State& state, double grad_scale) const;

  AdamWOptions options_;
  std::vector<State> states_;  // of parameters_
};

}  // namespace gladius
