// Between float and the 16-bit types, to the bit as tensor/half.h.
#pragma once

#include <cstdint>

#include "gladius/tensor/half.h"

namespace gladius::kernels {

/// y[i] = float(x[i]), i < n. The ranges do not overlap.
void convert(const bfloat16* x, float* y, std::int64_t n);
void convert(const float16* x, float* y, std::int64_t n);
/// Rounds to nearest, ties to even.
void convert(const float* x, bfloat16* y, std::int64_t n);
void convert(const float* x, float16* y, std::int64_t n);

}  // namespace gladius::kernels
