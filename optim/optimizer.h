// Optimizers: groups of parameters, each with the rule that updates it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// ShapeError naming `op`, and the parameter if it has a name, unless `tensor` (its gradient, or
/// what an optimizer keeps of it) has the parameter's shape and type: kernels trust them.
void check_fits(const char* op, const std::string& name, const Variable& parameter,
                const char* role, const Tensor& tensor);

/// Error naming the parameter if it has no values of its own yet (every element is one shared
/// number, as in a new module), which an update would need.
void check_has_values(const char* op, const std::string& name, const Variable& parameter);

/// What an optimizer keeps of one parameter.
struct ParameterState {
  std::int64_t steps = 0;       // updates of this parameter, as in PyTorch
  std::vector<Tensor> tensors;  // of the parameter's shape and type; none before the first update
};

/// How a parameter is updated from its gradient: the part in which optimizers differ. A rule holds
/// options and no state, so that one serves all parameters of a group.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;

  /// "adamw": begins the messages of errors.
  virtual const char* name() const = 0;
  /// The learning rate, before Optimizer::set_lr_factor.
  virtual double lr() const = 0;
  /// Names of ParameterState::tensors, as PyTorch's optimizer has them: "exp_avg", ...
  virtual std::vector<std::string> state_names() const = 0;
  /// Error if a parameter of this shape cannot be updated; `parameter` is its name.
  virtual void check_shape(const std::string& parameter, const Shape& shape) const;
  /// Elements of the parameter's type that an update takes for a while.
  virtual std::int64_t workspace(const Shape& shape) const;

  /// One update in place. `value` and `grad` are contiguous and alike, F32 or F64; `state` is the
  /// parameter's, its tensors zero before the first update, its steps counting this one. The
  /// gradient is `grad` times `grad_scale`.
  virtual void update(const Tensor& value, const Tensor& grad, const ParameterState& state,
                      double lr, double grad_scale) const = 0;
};

/// Parameters that are updated alike.
struct ParameterGroup {
  NamedVariables parameters;
  std::shared_ptr<const UpdateRule> rule;
};

/// Updates named parameters from their gradients. For one thread at a time.
class Optimizer {
 public:
  /// ConfigError for a name that occurs twice; Error for a shape that a rule does not take.
  explicit Optimizer(std::vector<ParameterGroup> groups);

  /// One update of every parameter that has a gradient, each gradient times `grad_scale` (which
  /// clip_grad_norm gives, so that clipping costs no pass of its own). All are looked at first, so
  /// that an error leaves no step half done.
  void step(double grad_scale = 1);
  void zero_grad();
  /// Every group's learning rate becomes its rule's times `factor` (LrSchedule::factor).
  void set_lr_factor(double factor) { lr_factor_ = factor; }

  /// Everything but the parameters, by name, to be saved and put back: `NAME.step` (I64 [1]) and
  /// `NAME.` with each of the rule's state_names, of each parameter that has been updated. Shared,
  /// not copied.
  NamedTensors state_dict() const;
  /// Takes a state_dict, whole or not at all. FormatError naming a tensor that is missing or does
  /// not fit.
  void load_state_dict(const NamedTensors& state);
  /// What it keeps of each parameter, in the order of the groups, for who changes it from outside
  /// (ranks that average theirs); of one that was never updated, zeros.
  std::vector<std::reference_wrapper<ParameterState>> states();
  /// Updates of the parameter that has had the most.
  std::int64_t steps() const;

  /// Bytes that it has of all parameters once each was updated, and that one update of the largest
  /// takes for a while beside them. Needs no values.
  std::uint64_t state_bytes() const;
  std::uint64_t workspace_bytes() const;

 private:
  struct Entry {
    std::string name;
    Variable parameter;
    std::shared_ptr<const UpdateRule> rule;
    ParameterState state = {};
  };

  static void check_step(const Entry& entry);
  static void make_state(Entry& entry);
  void update(Entry& entry, double grad_scale) const;

  std::vector<Entry> entries_;
  double lr_factor_ = 1;
};

}  // namespace gladius
