// What optimizers have in common.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// ShapeError naming `op`, and the parameter if it has a name, unless `tensor` (its gradient, or
/// what an optimizer keeps of it) has the parameter's shape and type: kernels trust them.
void check_fits(const char* op, const std::string& name, const Variable& parameter,
                const char* role, const Tensor& tensor);

/// Error naming the parameter if it has no values of its own yet (every element is one shared
/// number, as in a new module), which an update would need.
void check_has_values(const char* op, const std::string& name, const Variable& parameter);

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
