#include "gladius/optim/adamw.h"

#include <fmt/format.h>

#include <cmath>

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

std::vector<ParameterGroup> with_rules(std::vector<AdamWGroup> groups) {
  std::vector<ParameterGroup> out;
  for (AdamWGroup& group : groups) {
    out.push_back({std::move(group.parameters), std::make_shared<AdamWRule>(group.options)});
  }
  return out;
}

}  // namespace

AdamWRule::AdamWRule(const AdamWOptions& options) : options_(options) { check(options); }

void AdamWRule::update(const Tensor& value, const Tensor& grad, const ParameterState& state,
                       double lr, double grad_scale) const {
  const auto t = static_cast<double>(state.steps);
  const kernels::AdamWStep settings{.lr = lr,
                                    .beta1 = options_.beta1,
                                    .beta2 = options_.beta2,
                                    .eps = options_.eps,
                                    .weight_decay = options_.weight_decay,
                                    .bias_correction1 = 1 - std::pow(options_.beta1, t),
                                    .bias_correction2 = 1 - std::pow(options_.beta2, t),
                                    .grad_scale = grad_scale};
  const Tensor &exp_avg = state.tensors[0], &exp_avg_sq = state.tensors[1];
  dispatch_floating("adamw", value.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(value.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels::adamw(value.data<T>() + begin, grad.data<T>() + begin, exp_avg.data<T>() + begin,
                     exp_avg_sq.data<T>() + begin, end - begin, settings);
    });
  });
}

AdamW::AdamW(NamedVariables parameters, const AdamWOptions& options)
    : AdamW(std::vector{AdamWGroup{std::move(parameters), options}}) {}

AdamW::AdamW(std::vector<AdamWGroup> groups) : Optimizer(with_rules(std::move(groups))) {}

}  // namespace gladius
