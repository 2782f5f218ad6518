// Module: parameters and submodules by name.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gladius/autograd/variable.h"
#include "gladius/tensor/random.h"

namespace gladius::nn {

/// What a parameter is for, by which optimizers, initialisation and reports tell them apart.
enum class ParameterRole {
  matrix,     // of a linear layer
  embedding,  // a row for each token
  head,       // a language model's output matrix where it is not the embedding
  norm,       // gains of a normalization
  bias,
};

struct NamedParameter {
  std::string name;
  Variable value;
  ParameterRole role;
};

/// Base of layers and models. Parameters are named as in PyTorch: the submodules' names and the
/// parameter's, joined by dots.
///
/// A new module's parameters require gradients, as in PyTorch, but have no memory yet: every
/// element is one shared zero, so that a large model costs nothing before its weights are there.
/// They get values from load_state_dict (those of a file), from reset_parameters (PyTorch's fresh
/// ones) or one by one from nn/init.h; an optimizer refuses a parameter without.
class Module {
 public:
  virtual ~Module() = default;

  /// All parameters, those of submodules included, in the order of registration. The parameters of
  /// a module that is registered in several places (tied weights) come once, under the first name.
  NamedVariables named_parameters() const;
  /// The same with their roles.
  virtual std::vector<NamedParameter> parameters_with_roles() const;
  std::vector<Variable> parameters() const;
  /// Elements of all parameters.
  std::int64_t num_parameters() const;

  /// The parameters' tensors by name, shared, not copied.
  NamedTensors state_dict() const;
  /// Gives each parameter the value of the tensor of its name. FormatError names what is missing,
  /// is left over, or has another shape or a type that it cannot have (16-bit weights must be
  /// frozen); nothing is changed then. Parameters that require gradients get copies, as in PyTorch,
  /// so that training leaves `state` as it is; frozen ones share the tensors, which may be mapped.
  void load_state_dict(const NamedTensors& state);
  /// The same from a safetensors file, which the messages name; frozen parameters are views of it.
  /// IoError.
  void load_state_dict(const std::filesystem::path& file);
  /// As load_state_dict, but without copies: the tensors become the parameters' values, and nothing
  /// else may use them afterwards. For weights that were made for this module.
  void take_state_dict(const NamedTensors& state);

  /// Gives every parameter PyTorch's default values for its layer, layer by layer in the order of
  /// registration.
  void reset_parameters(Generator& generator = default_generator());

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

  /// Gives the parameters of this module, not those of submodules, their fresh values.
  virtual void reset_own_parameters(Generator&) {}

  /// A parameter without values. It requires a gradient if its type can have one.
  Variable register_parameter(std::string name, const Shape& shape,
                              ParameterRole role = ParameterRole::matrix, Dtype dtype = Dtype::F32);
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    modules_.emplace_back(std::move(name), module);
    return module;
  }

 private:
  void reset_once(Generator& generator, std::unordered_set<const Module*>& seen);
  void collect(const std::string& prefix, std::unordered_set<const Module*>& seen,
               std::vector<NamedParameter>& parameters) const;

  bool training_ = true;
  std::vector<NamedParameter> parameters_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> modules_;
};

}  // namespace gladius::nn
