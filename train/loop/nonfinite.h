// Where a model is not finite.
#pragma once

#include <optional>
#include <string>

#include "gladius/models/language_model.h"

namespace gladius::train {

/// What of a tensor is not finite, as "model.norm.weight holds 3 NaN"; nothing if all is.
std::optional<std::string> nonfinite_values(const std::string& name, const Tensor& tensor);

/// The first parameter that holds NaN or an infinity, in these words; nothing if all are finite.
std::optional<std::string> nonfinite_parameter(const LanguageModel& model);

/// Why what the model computes is not finite: that parameter, or that the forward pass overflows.
std::string explain_nonfinite(const LanguageModel& model);

}  // namespace gladius::train
