// What the products of a run are computed with.
#pragma once

#include <functional>
#include <string>

#include "gladius/tensor/precision.h"
#include "gladius/train/run/run_config.h"

namespace gladius::train {

/// How many times as fast as float32 bf16 must be for `auto` to take it.
inline constexpr double kWorthBf16 = 1.3;

/// How many times as fast as in float32 this processor computes a product of a training step in
/// bf16. Takes under a second; 0 without computing where the processor has no bf16 products.
double bf16_speedup();

using Tell = std::function<void(const std::string&)>;

/// bf16 or f32 for `auto`, which `info` is told, else the choice; `warn` is told where bf16 is
/// slow.
PrecisionChoice settle_precision(PrecisionChoice choice, const Tell& info, const Tell& warn);

/// Of a choice that is settled.
Precision precision_of(PrecisionChoice settled);

}  // namespace gladius::train
