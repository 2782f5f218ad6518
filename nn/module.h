// Module: parameters and submodules by name.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// Base of layers and models. Parameters are named as in PyTorch: the submodules' names and the
/// parameter's, joined by dots.
///
/// A new module's parameters have their shapes but no memory yet: every element is one shared zero.
/// They get values from load_state_dict: those of a file, or fresh random ones.
class Module {
 public:
  virtual ~Module() = default;

  /// All parameters, those of submodules included, in the order of registration. The parameters of
  /// a module that is registered in several places (tied weights) come once, under the first name.
  NamedVariables named_parameters() const;
  std::vector<Variable> parameters() const;
  /// Elements of all parameters.
  std::int64_t num_parameters() const;

  /// The parameters' tensors by name, shared, not copied.
  NamedTensors state_dict() const;
  /// Takes each parameter's value from the tensor of its name. FormatError names what is missing,
  /// is left over, or has another shape or a type that it cannot have (16-bit weights must be
  /// frozen); nothing is changed then. The tensors are shared.
  void load_state_dict(const NamedTensors& state);

  /// Turns gradients of all parameters on or off.
  void set_requires_grad(bool requires_grad);
  void zero_grad();

  /// Sets the mode of this module and its submodules: some layers (Dropout) act in training alone.
  /// A new module is in training.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

 protected:
  Module() = default;
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;

  /// A parameter without values, not requiring a gradient yet.
  Variable register_parameter(std::string name, const Shape& shape, Dtype dtype = Dtype::F32);
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    modules_.emplace_back(std::move(name), module);
    return module;
  }

 private:
  void collect(const std::string& prefix, std::unordered_set<const Module*>& seen,
               NamedVariables& parameters) const;

  bool training_ = true;
  NamedVariables parameters_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> modules_;
};

}  // namespace gladius
