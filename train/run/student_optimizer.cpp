#include "gladius/train/run/student_optimizer.h"

#include <functional>

#include "gladius/optim/muon.h"

namespace gladius::train {
namespace {

using Parameters = std::vector<nn::NamedParameter>;

// Moves the parameters of these roles out of `parameters`; both stay in order.
NamedVariables split_off(Parameters& parameters,
                         const std::function<bool(nn::ParameterRole)>& belongs) {
  NamedVariables chosen;
  Parameters rest;
  for (const nn::NamedParameter& parameter : parameters) {
    if (belongs(parameter.role)) {
      chosen.emplace_back(parameter.name, parameter.value);
    } else {
      rest.push_back(parameter);
    }
  }
  parameters = std::move(rest);
  return chosen;
}

AdamWOptions adamw_options(const OptimizerConfig& config) {
  return {.lr = config.lr,
          .beta1 = config.betas.first,
          .beta2 = config.betas.second,
          .eps = config.eps,
          .weight_decay = config.weight_decay};
}

// Those that decay, and, where only matrices do, the others.
std::vector<AdamWGroup> adamw_groups(const OptimizerConfig& config, Parameters parameters) {
  const auto decays = [&](nn::ParameterRole role) {
    return config.decay == DecayScope::all ||
           (role != nn::ParameterRole::norm && role != nn::ParameterRole::bias);
  };
  const AdamWOptions options = adamw_options(config);
  AdamWOptions without_decay = options;
  without_decay.weight_decay = 0;
  NamedVariables decayed = split_off(parameters, decays);
  NamedVariables others = split_off(parameters, [](nn::ParameterRole) { return true; });
  return {{std::move(decayed), options}, {std::move(others), without_decay}};
}

}  // namespace

Optimizer make_optimizer(const OptimizerConfig& config, Parameters parameters) {
  switch (config.name) {
    case OptimizerName::adamw:
      break;
    case OptimizerName::muon: {
      NamedVariables matrices = split_off(
          parameters, [](nn::ParameterRole role) { return role == nn::ParameterRole::matrix; });
      const MuonOptions options{
          .lr = config.lr, .weight_decay = config.weight_decay, .momentum = config.momentum};
      return Muon({{std::move(matrices), options}}, adamw_groups(config, std::move(parameters)));
    }
  }
  return AdamW(adamw_groups(config, std::move(parameters)));
}

}  // namespace gladius::train
