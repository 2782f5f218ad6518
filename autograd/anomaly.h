// Where the first NaN or infinity comes from.
#pragma once

#include <memory>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

/// In its scope, on this thread, an operation whose result has a NaN (or an infinity) while no
/// input had one throws GraphError, which names the operation, the element, and the inputs with
/// their shapes, ranges and what made them. So does a backward function, with the shapes of the
/// forward call. Each result is read once more, so it is for the search, not for training.
class DetectAnomaly {
 public:
  explicit DetectAnomaly(bool enabled = true);
  ~DetectAnomaly();
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;

 private:
  bool previous_;
};

/// Whether a DetectAnomaly is in force.
bool anomaly_detection_enabled();

/// For record() and the engine: throw as described if `value` (or one of `grads`) is the first.
void check_forward_anomaly(const char* name, const Tensor& value,
                           const std::vector<Variable>& inputs);
void check_backward_anomaly(const Node& node, const Variable& grad,
                            const std::vector<Variable>& grads);

}  // namespace gladius
