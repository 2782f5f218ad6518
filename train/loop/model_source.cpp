#include "gladius/train/loop/model_source.h"

#include <fmt/format.h>

namespace gladius::train {

std::optional<LayerName> LayerName::of(const std::string& name) {
  constexpr std::string_view kLayers = "layers.";
  const std::size_t found = name.find(kLayers);
  if (found == std::string::npos) return {};
  const std::size_t digits = found + kLayers.size();
  const std::size_t end = name.find('.', digits);
  if (end == std::string::npos || end == digits) return {};
  const std::string number = name.substr(digits, end - digits);
  if (number.find_first_not_of("0123456789") != std::string::npos) return {};
  return LayerName{name.substr(0, digits), name.substr(end), std::stoul(number)};
}

ModelSource::ModelSource(const LanguageModel& model, const std::vector<std::int64_t>& layers)
    : model_(model), layers_(layers) {
  for (const auto& [name, parameter, role] : model.parameters_with_roles()) {
    tensors_.emplace(name, parameter.value());
    if (role == nn::ParameterRole::embedding) embedding_ = parameter.value();
  }
}

Tensor ModelSource::find(const nn::NamedParameter& own) const {
  if (own.role == nn::ParameterRole::embedding) return embedding_;
  if (own.role == nn::ParameterRole::head) return model_.head_weight().value();
  const auto place = LayerName::of(own.name);
  if (place && layers_.at(place->layer) == kNoLayer) return {};
  const auto found = tensors_.find(
      place ? fmt::format("{}{}{}", place->before, layers_.at(place->layer), place->after)
            : own.name);
  return found == tensors_.end() ? Tensor() : found->second;
}

}  // namespace gladius::train
