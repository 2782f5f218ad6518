#include "gladius/optim/adamw.h"

#include <fmt/format.h>

#include <cmath>
#include <unordered_map>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/adamw.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

constexpr std::int64_t kGrain = 1 << 15;

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

Tensor moment(const std::unordered_map<std::string, Tensor>& tensors, const std::string& name,
              const Variable& parameter) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return {};
  if (found->second.shape() != parameter.shape() || found->second.dtype() != parameter.dtype()) {
    throw FormatError(fmt::format("adamw: state \"{}\" is {}, expected {}", name,
                                  found->second.describe(), parameter.value().describe()));
  }
  return found->second.clone();
}

}  // namespace

AdamW::AdamW(NamedVariables parameters, const AdamWOptions& options)
    : Optimizer(std::move(parameters), options.lr),
      options_(options),
      moments_(parameters_.size()) {
  check(options);
}

void AdamW::step(double grad_scale) {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const kernels::AdamWStep settings{.lr = lr_,
                                    .beta1 = options_.beta1,
                                    .beta2 = options_.beta2,
                                    .eps = options_.eps,
                                    .weight_decay = options_.weight_decay,
                                    .bias_correction1 = 1 - std::pow(options_.beta1, t),
                                    .bias_correction2 = 1 - std::pow(options_.beta2, t),
                                    .grad_scale = grad_scale};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Variable& parameter = parameters_[i].second;
    const Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    auto& [m, v] = moments_[i];
    if (!m.defined()) {
      m = Tensor::zeros(parameter.shape(), parameter.dtype());
      v = Tensor::zeros(parameter.shape(), parameter.dtype());
    }
    Tensor value = parameter.value();
    value.mark_written();
    const Tensor g = grad.contiguous();
    dispatch_floating("adamw", value.dtype(), [&](auto zero) {
      using T = decltype(zero);
      parallel_for(value.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        kernels::adamw(value.data<T>() + begin, g.data<T>() + begin, m.template data<T>() + begin,
                       v.template data<T>() + begin, end - begin, settings);
      });
    });
  }
}

NamedTensors AdamW::state_dict() const {
  NamedTensors state{{"step", Tensor::full({1}, static_cast<double>(steps_), Dtype::I64)}};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!moments_[i].exp_avg.defined()) continue;
    state.emplace_back(parameters_[i].first + ".exp_avg", moments_[i].exp_avg);
    state.emplace_back(parameters_[i].first + ".exp_avg_sq", moments_[i].exp_avg_sq);
  }
  return state;
}

void AdamW::load_state_dict(const NamedTensors& state) {
  const std::unordered_map<std::string, Tensor> tensors(state.begin(), state.end());
  const auto step = tensors.find("step");
  if (step == tensors.end() || step->second.numel() != 1) {
    throw FormatError("adamw: the state has no \"step\"");
  }
  std::vector<Moments> moments;
  for (const auto& [name, parameter] : parameters_) {
    moments.push_back({moment(tensors, name + ".exp_avg", parameter),
                       moment(tensors, name + ".exp_avg_sq", parameter)});
    if (moments.back().exp_avg.defined() != moments.back().exp_avg_sq.defined()) {
      throw FormatError(fmt::format("adamw: the state of \"{}\" has one moment of two", name));
    }
  }
  moments_ = std::move(moments);
  steps_ = step->second.to_vector<std::int64_t>()[0];
}

}  // namespace gladius
