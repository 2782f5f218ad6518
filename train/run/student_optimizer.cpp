#include "gladius/train/run/student_optimizer.h"

#include <functional>

#include "gladius/optim/muon.h"

namespace gladius {
namespace {

using Parameters = std::vector<NamedParameter>;

// Moves the parameters of these roles out of `parameters`; both stay in order.
NamedVariables split_off(Parameters& parameters,
                         const std::function<bool(ParameterRole)>& belongs) {
  NamedVariables chosen;
  Parameters rest;
  for (const NamedParameter& parameter : parameters) {
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
  const auto decays = [&](ParameterRole role) {
    return config.decay == DecayScope::all ||
           (role != ParameterRole::norm && role != ParameterRole::bias);
  };
  const AdamWOptions options = adamw_options(config);
  AdamWOptions without_decay = options;
  without_decay.weight_decay = 0;
  NamedVariables decayed = split_off(parameters, decays);
  NamedVariables others = split_off(parameters, [](ParameterRole) { return true; });
  return {{std::move(decayed), options}, {std::move(others), without_decay}};
}

}  // namespace

Optimizer make_optimizer(const OptimizerConfig& config, Parameters parameters) {
  switch (config.name) {
    case OptimizerName::adamw:
      break;
    case OptimizerName::muon: {
      NamedVariables matrices =
          split_off(parameters, [](ParameterRole role) { return role == ParameterRole::matrix; });
      const MuonOptions options{
          .lr = config.lr, .weight_decay = config.weight_decay, .momentum = config.momentum};
      return Muon({{std::move(matrices), options}}, adamw_groups(config, std::move(parameters)));
    }
  }
  return AdamW(adamw_groups(config, std::move(parameters)));
}

}  // namespace gladius
