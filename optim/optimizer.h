// What optimizers have in common.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// Updates named parameters from their gradients.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One update of every parameter that has a gradient, each gradient times `grad_scale` (which
  /// clip_grad_norm gives, so that clipping costs no pass of its own).
  virtual void step(double grad_scale = 1) = 0;

  /// Everything but the parameters, by name, to be saved and put back. Shared, not copied.
  virtual NamedTensors state_dict() const = 0;
  /// FormatError naming a tensor that is missing or does not fit.
  virtual void load_state_dict(const NamedTensors& state) = 0;

  void set_lr(double lr) { lr_ = lr; }
  double lr() const { return lr_; }
  void zero_grad();

 protected:
  Optimizer(NamedVariables parameters, double lr) : parameters_(std::move(parameters)), lr_(lr) {}

  NamedVariables parameters_;
  double lr_;
};

}  // namespace gladius
