// How a matrix product reads its operands and writes its result.
#pragma once

#include "gladius/tensor/precision.h"

namespace gladius::kernels {

/// C = alpha * op(A) * op(B) + beta * C. With beta = 0, C is written without being read.
struct GemmOptions {
  /// A lies in memory as its transpose, [k, m].
  bool transpose_a = false;
  /// B lies in memory as its transpose, [n, k]: the weight of a linear layer.
  bool transpose_b = false;
  double alpha = 1;
  double beta = 0;
  /// A large C is written with streaming stores, which bypass the caches: half the traffic for a
  /// result that is not read soon.
  bool stream = false;
  /// Of float operands of many rows; few rows are multiplied in float, as their time is reading.
  Precision precision = Precision::f32;
};

}  // namespace gladius::kernels
