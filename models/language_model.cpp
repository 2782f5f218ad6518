#include "gladius/models/language_model.h"

#include "gladius/autograd/ops/matmul.h"
#include "gladius/models/architectures/architecture.h"
#include "gladius/tensor/random.h"

namespace gladius {

Variable LanguageModel::head(const Variable& hidden) const { return linear(hidden, head_weight()); }

Variable LanguageModel::forward(const Tensor& ids) const {
  return head(
      hidden_states(ids, sequential_context(ids.size(0), ids.dim() == 2 ? ids.size(1) : 0)));
}

std::vector<nn::NamedParameter> LanguageModel::parameters_with_roles() const {
  std::vector<nn::NamedParameter> parameters = nn::Module::parameters_with_roles();
  for (nn::NamedParameter& parameter : parameters) {
    if (parameter.name == kHeadName) parameter.role = nn::ParameterRole::head;
  }
  return parameters;
}

void LanguageModel::init_weights(Generator& generator) {
  NamedTensors fresh;
  for (const auto& [name, parameter, role] : parameters_with_roles()) {
    Tensor value = Tensor::empty(parameter.shape());
    if (role == nn::ParameterRole::bias) {
      value.fill_(0);
    } else if (role == nn::ParameterRole::norm) {
      value.fill_(1);
    } else {
      fill_normal_(value, generator, 0, config_.initializer_range);
    }
    fresh.emplace_back(name, std::move(value));
  }
  take_state_dict(fresh);
}

std::unique_ptr<LanguageModel> make_language_model(const ModelConfig& config) {
  return architecture_named(config.architecture).make(config);
}

}  // namespace gladius
