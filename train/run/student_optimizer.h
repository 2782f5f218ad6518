// The optimizer that a run file asks for.
#pragma once

#include <vector>

#include "gladius/nn/module.h"
#include "gladius/optim/optimizer.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// Over a model's parameters, which may have shapes and no values yet. Muon takes the matrices of
/// linear layers, AdamW embeddings, head, norms and biases; with DecayScope::matrices norms and
/// biases do not decay.
Optimizer make_optimizer(const OptimizerConfig& config, std::vector<nn::NamedParameter> parameters);

}  // namespace gladius::train
