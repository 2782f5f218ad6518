#include "gladius/autograd/anomaly.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "gladius/autograd/node.h"
#include "gladius/tensor/strided.h"

namespace gladius {
namespace {

thread_local bool enabled_here = false;

// What is in a tensor; of integers nothing is wrong.
struct Contents {
  std::int64_t first_nan = -1, first_infinity = -1;  // row-major, -1: none
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
};

Contents contents_of(const Tensor& tensor) {
  Contents found;
  if (!tensor.defined() || !is_floating_point(tensor.dtype())) return found;
  std::int64_t i = 0;
  for (const double value : tensor.to_vector<double>()) {
    if (std::isnan(value)) {
      if (found.first_nan < 0) found.first_nan = i;
    } else {
      if (std::isinf(value) && found.first_infinity < 0) found.first_infinity = i;
      found.lowest = std::min(found.lowest, value);
      found.highest = std::max(found.highest, value);
    }
    ++i;
  }
  return found;
}

// "NaN at [0, 2]" if there is one that none of `sources` explains: an infinity may make NaN, but
// only the operation that made the infinity is at fault.
std::optional<std::string> new_anomaly(const Contents& result, const Shape& shape,
                                       const std::vector<Contents>& sources) {
  const auto any = [&](std::int64_t Contents::*first) {
    return std::ranges::any_of(sources, [=](const Contents& c) { return c.*first >= 0; });
  };
  if (any(&Contents::first_nan)) return std::nullopt;
  if (result.first_nan >= 0)
    return fmt::format("NaN at {}", to_string(unravel_index(result.first_nan, shape)));
  if (result.first_infinity < 0 || any(&Contents::first_infinity)) return std::nullopt;
  return fmt::format("an infinity at {}", to_string(unravel_index(result.first_infinity, shape)));
}

std::string describe(const Variable& input, const Contents& contents) {
  std::string text = input.describe();
  if (contents.lowest <= contents.highest)
    text += fmt::format(" in [{:.6g}, {:.6g}]", contents.lowest, contents.highest);
  return text;
}

}  // namespace

DetectAnomaly::DetectAnomaly(bool enabled) : previous_(std::exchange(enabled_here, enabled)) {}
DetectAnomaly::~DetectAnomaly() { enabled_here = previous_; }
bool anomaly_detection_enabled() { return enabled_here; }

void check_forward_anomaly(const char* name, const Tensor& value,
                           const std::vector<Variable>& inputs) {
  const Contents result = contents_of(value);
  if (result.first_nan < 0 && result.first_infinity < 0) return;
  std::vector<Contents> sources;
  std::string described;
  for (const Variable& input : inputs) {
    sources.push_back(contents_of(input.defined() ? input.value() : Tensor()));
    described += (described.empty() ? "" : "; ") + describe(input, sources.back());
  }
  if (const auto anomaly = new_anomaly(result, value.shape(), sources)) {
    throw GraphError(fmt::format("anomaly: {} made {} of its result {}; its inputs: {}", name,
                                 *anomaly, value.describe(), described));
  }
}

void check_backward_anomaly(const Node& node, const Variable& grad,
                            const std::vector<Variable>& grads) {
  const std::vector<Contents> sources{contents_of(grad.value())};
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) continue;
    const auto anomaly =
        new_anomaly(contents_of(grads[i].value()), grads[i].value().shape(), sources);
    if (!anomaly) continue;
    std::string inputs;
    for (const auto& input : node.inputs()) {
      inputs += inputs.empty() ? "" : "; ";
      inputs +=
          input ? fmt::format("{} of {}", to_string(input->shape()), input->name()) : "no gradient";
    }
    throw GraphError(
        fmt::format("anomaly: backward of {} made {} of its gradient {} for input {}, from a "
                    "gradient in [{:.6g}, {:.6g}]; the forward call: {} -> {}",
                    node.name(), *anomaly, grads[i].value().describe(), i, sources[0].lowest,
                    sources[0].highest, inputs, to_string(node.shape())));
  }
}

}  // namespace gladius
