#include "gladius/nn/module.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/io/safetensors.h"
#include "gladius/tensor/weight.h"

namespace gladius::nn {

namespace {

void check_dtype(const std::string& name, const Variable& parameter, const Tensor& value) {
  const Dtype dtype = value.dtype();
  if (!is_weight_dtype(dtype)) {
    throw FormatError(fmt::format("load_state_dict: tensor {} is {}; weights are floating-point",
                                  in_quotes(name), value.describe()));
  }
  if (parameter.requires_grad() && !is_trainable(dtype)) {
    throw FormatError(
        fmt::format("load_state_dict: tensor {} is {}, which cannot be trained; convert it or "
                    "freeze the module",
                    in_quotes(name), value.describe()));
  }
}

// The tensor of each parameter, in their order.
std::vector<Tensor> values_of(const NamedVariables& parameters, const NamedTensors& state) {
  std::unordered_map<std::string, Tensor> tensors(state.begin(), state.end());
  std::vector<Tensor> values;
  for (const auto& [name, parameter] : parameters) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      throw FormatError(fmt::format("load_state_dict: tensor {} {} is missing", in_quotes(name),
                                    to_string(parameter.shape())));
    }
    if (found->second.shape() != parameter.shape()) {
      throw FormatError(fmt::format("load_state_dict: tensor {} has shape {}, the model needs {}",
                                    in_quotes(name), to_string(found->second.shape()),
                                    to_string(parameter.shape())));
    }
    check_dtype(name, parameter, found->second);
    values.push_back(found->second);
  }
  if (tensors.size() > parameters.size()) {
    for (const auto& [name, parameter] : parameters) tensors.erase(name);
    const auto first =
        std::ranges::min_element(tensors, {}, [](const auto& entry) { return entry.first; });
    throw FormatError(fmt::format("load_state_dict: tensor {} {} belongs to no parameter ({} such)",
                                  in_quotes(first->first), to_string(first->second.shape()),
                                  tensors.size()));
  }
  return values;
}

}  // namespace

NamedVariables Module::named_parameters() const {
  NamedVariables parameters;
  for (auto& [name, value, role] : Module::parameters_with_roles())
    parameters.emplace_back(std::move(name), std::move(value));
  return parameters;
}

std::vector<NamedParameter> Module::parameters_with_roles() const {
  std::vector<NamedParameter> parameters;
  std::unordered_set<const Module*> seen;
  collect("", seen, parameters);
  return parameters;
}

void Module::collect(const std::string& prefix, std::unordered_set<const Module*>& seen,
                     std::vector<NamedParameter>& parameters) const {
  if (!seen.insert(this).second) return;
  for (const auto& [name, value, role] : parameters_)
    parameters.push_back({prefix + name, value, role});
  for (const auto& [name, module] : modules_)
    module->collect(prefix + name + ".", seen, parameters);
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> parameters;
  for (const auto& [name, parameter] : named_parameters()) parameters.push_back(parameter);
  return parameters;
}

std::int64_t Module::num_parameters() const {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : named_parameters()) count += parameter.numel();
  return count;
}

NamedTensors Module::state_dict() const {
  NamedTensors state;
  for (const auto& [name, parameter] : named_parameters())
    state.emplace_back(name, parameter.value());
  return state;
}

void Module::load_state_dict(const NamedTensors& state) {
  std::vector<Variable> parameters = this->parameters();
  const std::vector<Tensor> values = values_of(named_parameters(), state);
  for (std::size_t i = 0; i < values.size(); ++i) {
    parameters[i].set_value(parameters[i].requires_grad() ? values[i].clone() : values[i]);
  }
}

void Module::take_state_dict(const NamedTensors& state) {
  std::vector<Variable> parameters = this->parameters();
  const std::vector<Tensor> values = values_of(named_parameters(), state);
  for (std::size_t i = 0; i < values.size(); ++i) parameters[i].set_value(values[i]);
}

void Module::load_state_dict(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  NamedTensors state;
  try {
    for (const SafetensorsEntry& entry : file.entries()) {
      state.emplace_back(entry.name, file.tensor(entry.name));
    }
    load_state_dict(state);
  } catch (const FormatError& error) {
    const std::string_view what = error.what();
    if (what.starts_with(path.string())) throw;
    throw FormatError(fmt::format("{}: {}", path.string(), what));
  }
}

void Module::reset_parameters(Generator& generator) {
  std::unordered_set<const Module*> seen;
  reset_once(generator, seen);
}

void Module::reset_once(Generator& generator, std::unordered_set<const Module*>& seen) {
  if (!seen.insert(this).second) return;
  reset_own_parameters(generator);
  for (const auto& [name, module] : modules_) module->reset_once(generator, seen);
}

void Module::set_requires_grad(bool requires_grad) {
  for (Variable& parameter : parameters()) parameter.set_requires_grad(requires_grad);
}

void Module::zero_grad() {
  for (Variable& parameter : parameters()) parameter.zero_grad();
}

void Module::train(bool training) {
  training_ = training;
  for (const auto& [name, module] : modules_) module->train(training);
}

Variable Module::register_parameter(std::string name, const Shape& shape, ParameterRole role,
                                    Dtype dtype) {
  Variable parameter(Tensor::zeros({}, dtype).expand(shape), is_trainable(dtype));
  parameters_.push_back({std::move(name), parameter, role});
  return parameter;
}

}  // namespace gladius::nn
