#include "gladius/train/loop/nonfinite.h"

#include <fmt/format.h>

#include <cmath>

#include "gladius/autograd/gradient_statistics.h"

namespace gladius::train {

std::optional<std::string> nonfinite_values(const std::string& name, const Tensor& tensor) {
  const GradientStatistics values = gradient_statistics(tensor);
  if (values.nans > 0) return fmt::format("{} holds {} NaN", name, values.nans);
  if (!std::isfinite(values.largest)) return fmt::format("{} holds an infinity", name);
  return {};
}

std::optional<std::string> nonfinite_parameter(const LanguageModel& model) {
  for (const auto& [name, parameter] : model.named_parameters()) {
    if (auto found = nonfinite_values(name, parameter.value())) return found;
  }
  return {};
}

std::string explain_nonfinite(const LanguageModel& model) {
  return nonfinite_parameter(model).value_or(
      "the weights are finite, but the forward pass overflows");
}

}  // namespace gladius::train
