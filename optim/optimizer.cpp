#include "gladius/optim/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "gladius/tensor/base/quoted.h"

namespace gladius {
namespace {

constexpr std::int64_t kMostSteps = std::int64_t{1} << 53;  // those that a double can count

// The tensors of a state_dict that nothing has taken yet.
using StateTensors = std::unordered_map<std::string, Tensor>;

// Takes the tensor `name` of the state out of it.
Tensor take(const char* op, StateTensors& state, const std::string& name, const Shape& shape,
            Dtype dtype) {
  const auto found = state.find(name);
  if (found == state.end()) {
    throw FormatError(
        fmt::format("{}: state {} {} is missing", op, in_quotes(name), to_string(shape)));
  }
  const Tensor tensor = found->second;
  if (tensor.shape() != shape || tensor.dtype() != dtype) {
    throw FormatError(fmt::format("{}: state {} is {}, expected {} {}", op, in_quotes(name),
                                  tensor.describe(), dtype_name(dtype), to_string(shape)));
  }
  state.erase(found);
  return tensor.clone();
}

ParameterState take_state(StateTensors& state, const std::string& name, const Variable& parameter,
                          const UpdateRule& rule) {
  if (!state.contains(name + ".step")) return {};  // not updated yet
  const Tensor step = take(rule.name(), state, name + ".step", {1}, Dtype::I64);
  ParameterState taken{.steps = step.to_vector<std::int64_t>()[0], .tensors = {}};
  if (taken.steps < 1 || taken.steps > kMostSteps) {
    throw FormatError(fmt::format("{}: state {} is {}, which is no number of steps", rule.name(),
                                  in_quotes(name + ".step"), taken.steps));
  }
  for (const std::string& kept : rule.state_names()) {
    taken.tensors.push_back(
        take(rule.name(), state, name + "." + kept, parameter.shape(), parameter.dtype()));
  }
  return taken;
}

}  // namespace

void check_fits(const char* op, const std::string& name, const Variable& parameter,
                const char* role, const Tensor& tensor) {
  const Tensor& value = parameter.value();
  if (tensor.shape() == value.shape() && tensor.dtype() == value.dtype()) return;
  throw ShapeError(fmt::format("{}: the {} of parameter{}{}, {}, is {}", op, role,
                               name.empty() ? "" : " ", name.empty() ? "" : in_quotes(name),
                               value.describe(), tensor.describe()));
}

void check_has_values(const char* op, const std::string& name, const Variable& parameter) {
  const Tensor& value = parameter.value();
  if (value.numel() <= 1) return;
  for (std::size_t d = 0; d < value.shape().size(); ++d) {
    if (value.strides()[d] != 0 && value.shape()[d] != 1) return;
  }
  throw Error(
      fmt::format("{}: parameter {} {} has no values yet; reset_parameters() or "
                  "load_state_dict() of its module gives it some",
                  op, in_quotes(name), value.describe()));
}

void UpdateRule::check_shape(const std::string& /*parameter*/, const Shape& /*shape*/) const {}

std::int64_t UpdateRule::workspace(const Shape& /*shape*/) const { return 0; }

Optimizer::Optimizer(std::vector<ParameterGroup> groups) {
  std::unordered_set<std::string> names;
  for (ParameterGroup& group : groups) {
    for (auto& [name, parameter] : group.parameters) {
      if (!names.insert(name).second) {
        throw ConfigError(
            fmt::format("{}: parameter {} is there twice", group.rule->name(), in_quotes(name)));
      }
      group.rule->check_shape(name, parameter.shape());
      entries_.push_back({name, parameter, group.rule});
    }
  }
}

void Optimizer::step(double grad_scale) {
  for (const Entry& entry : entries_) {
    if (entry.parameter.grad().defined()) check_step(entry);
  }
  for (Entry& entry : entries_) {
    if (entry.parameter.grad().defined()) update(entry, grad_scale);
  }
}

// Whether the entry, which has a gradient, can be updated; Error and ShapeError name it.
void Optimizer::check_step(const Entry& entry) {
  const char* op = entry.rule->name();
  check_has_values(op, entry.name, entry.parameter);
  check_fits(op, entry.name, entry.parameter, "gradient", entry.parameter.grad());
  for (std::size_t i = 0; i < entry.state.tensors.size(); ++i) {  // another value may be set since
    check_fits(op, entry.name, entry.parameter, entry.rule->state_names()[i].c_str(),
               entry.state.tensors[i]);
  }
  Tensor value = entry.parameter.value();
  value.mark_written(fmt::format("{}: parameter {}", op, in_quotes(entry.name)).c_str());
}

void Optimizer::update(Entry& entry, double grad_scale) const {
  ParameterState& state = entry.state;
  // Rules take elements that lie one after another.
  Tensor value = entry.parameter.value();
  const Tensor dense = value.contiguous();
  if (state.steps == 0) make_state(entry);
  ++state.steps;
  entry.rule->update(dense, entry.parameter.grad().contiguous(), state,
                     entry.rule->lr() * lr_factor_, grad_scale);
  if (dense.storage() != value.storage()) value.copy_(dense);
}

void Optimizer::make_state(Entry& entry) {
  const Tensor& value = entry.parameter.value();
  entry.state.tensors.clear();
  for (std::size_t i = 0; i < entry.rule->state_names().size(); ++i) {
    entry.state.tensors.push_back(Tensor::zeros(value.shape(), value.dtype()));
  }
}

void Optimizer::zero_grad() {
  for (Entry& entry : entries_) entry.parameter.zero_grad();
}

NamedTensors Optimizer::state_dict() const {
  NamedTensors tensors;
  for (const auto& [name, parameter, rule, state] : entries_) {
    if (state.steps == 0) continue;
    tensors.emplace_back(name + ".step", Tensor::from(std::vector{state.steps}, {1}));
    const std::vector<std::string> names = rule->state_names();
    for (std::size_t i = 0; i < names.size(); ++i) {
      tensors.emplace_back(name + "." + names[i], state.tensors[i]);
    }
  }
  return tensors;
}

void Optimizer::load_state_dict(const NamedTensors& state) {
  StateTensors tensors(state.begin(), state.end());
  std::vector<ParameterState> states;
  for (const Entry& entry : entries_) {
    states.push_back(take_state(tensors, entry.name, entry.parameter, *entry.rule));
  }
  if (!tensors.empty()) {
    throw FormatError(fmt::format("optimizer: state {} belongs to no parameter with a step",
                                  in_quotes(tensors.begin()->first)));
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i].state = std::move(states[i]);
}

std::vector<std::reference_wrapper<ParameterState>> Optimizer::states() {
  std::vector<std::reference_wrapper<ParameterState>> states;
  for (Entry& entry : entries_) {
    if (entry.state.steps == 0) make_state(entry);
    states.emplace_back(entry.state);
  }
  return states;
}

std::int64_t Optimizer::steps() const {
  std::int64_t most = 0;
  for (const Entry& entry : entries_) most = std::max(most, entry.state.steps);
  return most;
}

std::uint64_t Optimizer::state_bytes() const {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries_) {
    bytes += entry.parameter.value().nbytes() * entry.rule->state_names().size();
  }
  return bytes;
}

std::uint64_t Optimizer::workspace_bytes() const {
  std::uint64_t bytes = 0;
  for (const Entry& entry : entries_) {
    const auto elements =
        static_cast<std::uint64_t>(entry.rule->workspace(entry.parameter.shape()));
    bytes = std::max(bytes, elements * dtype_size(entry.parameter.dtype()));
  }
  return bytes;
}

}  // namespace gladius
