// What operations on two tensors of one type check first.
#pragma once

#include <fmt/format.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/tensor.h"

namespace gladius {

inline void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    throw DtypeError(fmt::format("{}: {} and {} have different types; convert one with to()", op,
                                 a.describe(), b.describe()));
  }
}

}  // namespace gladius
