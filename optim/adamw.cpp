#include "gladius/optim/adamw.h"

#include <fmt/format.h>

#include <cmath>
#include <unordered_map>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/adamw.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/quoted.h"

namespace gladius {
namespace {

constexpr std::int64_t kGrain = 1 << 15;
constexpr std::int64_t kMostSteps = std::int64_t{1} << 53;  // those that a double can count

void check(const AdamWOptions& options) {
  const auto is_beta = [](double beta) { return beta >= 0 && beta < 1; };
  if (!(options.lr >= 0) || !is_beta(options.beta1) || !is_beta(options.beta2) ||
      !(options.eps >= 0) || !(options.weight_decay >= 0)) {
    throw ConfigError(
        fmt::format("adamw: lr {}, betas ({}, {}), eps {}, weight_decay {}: betas lie in "
                    "[0, 1) and the others are not negative",
                    options.lr, options.beta1, options.beta2, options.eps, options.weight_decay));
  }
}

// Takes the tensor `name` of the state out of it.
Tensor take(std::unordered_map<std::string, Tensor>& state, const std::string& name,
            const Shape& shape, Dtype dtype) {
  const auto found = state.find(name);
  if (found == state.end()) {
    throw FormatError(
        fmt::format("adamw: state {} {} is missing", in_quotes(name), to_string(shape)));
  }
  const Tensor tensor = found->second;
  if (tensor.shape() != shape || tensor.dtype() != dtype) {
    throw FormatError(fmt::format("adamw: state {} is {}, expected {} {}", in_quotes(name),
                                  tensor.describe(), dtype_name(dtype), to_string(shape)));
  }
  state.erase(found);
  return tensor.clone();
}

}  // namespace

AdamW::AdamW(NamedVariables parameters, const AdamWOptions& options)
    : Optimizer(std::move(parameters), options.lr), options_(options), states_(parameters_.size()) {
  check(options);
}

void AdamW::step(double grad_scale) {
  // All are looked at first, so that an error leaves no step half done.
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].second.grad().defined()) check_step(i);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Variable& parameter = parameters_[i].second;
    if (const Tensor grad = parameter.grad(); grad.defined()) {
      // The kernel takes rows that lie one after another.
      Tensor value = parameter.value();
      const Tensor dense = value.contiguous();
      update(dense, grad.contiguous(), states_[i], grad_scale);
      if (dense.storage() != value.storage()) value.copy_(dense);
    }
  }
}

void AdamW::check_step(std::size_t i) const {
  const auto& [name, parameter] = parameters_[i];
  check_has_values("adamw", name, parameter);
  check_fits("adamw", name, parameter, "gradient", parameter.grad());
  if (states_[i].steps > 0) {  // another value may have been set since
    check_fits("adamw", name, parameter, "running mean", states_[i].exp_avg);
  }
  Tensor value = parameter.value();
  value.mark_written(fmt::format("adamw: parameter {}", in_quotes(name)).c_str());
}

void AdamW::update(const Tensor& value, const Tensor& grad, State& state, double grad_scale) const {
  if (state.steps == 0) {
    state.exp_avg = Tensor::zeros(value.shape(), value.dtype());
    state.exp_avg_sq = Tensor::zeros(value.shape(), value.dtype());
  }
  ++state.steps;
  const auto t = static_cast<double>(state.steps);
  const kernels::AdamWStep settings{.lr = lr_,
                                    .beta1 = options_.beta1,
                                    .beta2 = options_.beta2,
                                    .eps = options_.eps,
                                    .weight_decay = options_.weight_decay,
                                    .bias_correction1 = 1 - std::pow(options_.beta1, t),
                                    .bias_correction2 = 1 - std::pow(options_.beta2, t),
                                    .grad_scale = grad_scale};
  dispatch_floating("adamw", value.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(value.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels::adamw(value.data<T>() + begin, grad.data<T>() + begin,
                     state.exp_avg.data<T>() + begin, state.exp_avg_sq.data<T>() + begin,
                     end - begin, settings);
    });
  });
}

NamedTensors AdamW::state_dict() const {
  NamedTensors tensors;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const State& state = states_[i];
    if (state.steps == 0) continue;
    const std::string& name = parameters_[i].first;
    tensors.emplace_back(name + ".step", Tensor::from(std::vector{state.steps}, {1}));
    tensors.emplace_back(name + ".exp_avg", state.exp_avg);
    tensors.emplace_back(name + ".exp_avg_sq", state.exp_avg_sq);
  }
  return tensors;
}

void AdamW::load_state_dict(const NamedTensors& state) {
  std::unordered_map<std::string, Tensor> tensors(state.begin(), state.end());
  std::vector<State> states;
  for (const auto& [name, parameter] : parameters_) {
    states.emplace_back();
    if (!tensors.contains(name + ".step")) continue;  // not updated yet
    const Tensor step = take(tensors, name + ".step", {1}, Dtype::I64);
    const std::int64_t steps = step.to_vector<std::int64_t>()[0];
    if (steps < 0 || steps > kMostSteps) {
      throw FormatError(fmt::format("adamw: state {} is {}, which is no number of steps",
                                    in_quotes(name + ".step"), steps));
    }
    states.back() = {take(tensors, name + ".exp_avg", parameter.shape(), parameter.dtype()),
                     take(tensors, name + ".exp_avg_sq", parameter.shape(), parameter.dtype()),
                     steps};
  }
  if (!tensors.empty()) {
    throw FormatError(fmt::format("adamw: state {} belongs to no parameter with a step",
                                  in_quotes(tensors.begin()->first)));
  }
  states_ = std::move(states);
}

}  // namespace gladius
