// Where a model is not finite.
#pragma once

#include <optional>
#include <string>

#include "gladius/models/causal_lm.h"

namespace gladius {

/// The first parameter that holds NaN or an infinity, as "model.norm.weight holds 3 NaN"; nothing
/// if all are finite.
std::optional<std::string> nonfinite_parameter(const CausalLM& model);

/// Why what the model computes is not finite: that parameter, or that the forward pass overflows.
std::string explain_nonfinite(const CausalLM& model);

}  // namespace gladius
