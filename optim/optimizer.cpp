#include "gladius/optim/optimizer.h"

#include <fmt/format.h>

#include "gladius/tensor/quoted.h"

namespace gladius {

void check_fits(const char* op, const std::string& name, const Variable& parameter,
                const char* role, const Tensor& tensor) {
  const Tensor& value = parameter.value();
  if (tensor.shape() == value.shape() && tensor.dtype() == value.dtype()) return;
  throw ShapeError(fmt::format("{}: the {} of parameter{}{}, {}, is {}", op, role,
                               name.empty() ? "" : " ", name.empty() ? "" : in_quotes(name),
                               value.describe(), tensor.describe()));
}

void check_has_values(const char* op, const std::string& name, const Variable& parameter) {
  const Tensor& value = parameter.value();
  if (value.numel() <= 1) return;
  for (std::size_t d = 0; d < value.shape().size(); ++d) {
    if (value.strides()[d] != 0 && value.shape()[d] != 1) return;
  }
  throw Error(
      fmt::format("{}: parameter {} {} has no values yet; reset_parameters() or "
                  "load_state_dict() of its module gives it some",
                  op, in_quotes(name), value.describe()));
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.zero_grad();
}

}  // namespace gladius
