// Weights that are stored in a type of fewer bits.
#pragma once

#include <functional>
#include <string>

#include "gladius/tensor/tensor.h"

namespace gladius {

/// Looks at what storing `tensors` as `dtype` would lose, before anything is written. FormatError
/// naming a tensor with finite values that would become infinite, how many there are and the
/// largest; `warn` (may be empty) is told of NaN and infinities that are there already, and of
/// tensors of which 1% or more would become zero.
void check_narrowing(const NamedTensors& tensors, Dtype dtype,
                     const std::function<void(const std::string&)>& warn);

}  // namespace gladius
