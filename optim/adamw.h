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

/// Loshchilov & Hutter 2017 (arXiv:1711.05101), with the arithmetic of torch.optim.AdamW. F32 and
/// F64. The state: `exp_avg`, `exp_avg_sq`.
class AdamWRule : public UpdateRule {
 public:
  /// ConfigError for options outside of their ranges.
  explicit AdamWRule(const AdamWOptions& options);

  const char* name() const override { return "adamw"; }
  double lr() const override { return options_.lr; }
  std::vector<std::string> state_names() const override { return {"exp_avg", "exp_avg_sq"}; }
  void update(const Tensor& value, const Tensor& grad, const ParameterState& state, double lr,
              double grad_scale) const override;

 private:
  AdamWOptions options_;
};

/// Parameters with options of their own, as a group of torch.optim.AdamW has.
struct AdamWGroup {
  NamedVariables parameters;
  AdamWOptions options = {};
};

/// AdamW of all parameters.
class AdamW : public Optimizer {
 public:
  /// ConfigError for options outside of their ranges, and as Optimizer.
  explicit AdamW(NamedVariables parameters, const AdamWOptions& options = {});
  explicit AdamW(std::vector<AdamWGroup> groups);
};

}  // namespace gladius
