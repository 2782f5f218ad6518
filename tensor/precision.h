// How precisely products of float32 tensors are computed.
#pragma once

namespace gladius {

enum class Precision {
  f32,   ///< In float32.
  bf16,  ///< Of operands rounded to bfloat16, summed up in float32.
};

/// What matrix products and attention of F32 tensors compute with on the calling thread; f32 at the
/// start (compare torch.set_float32_matmul_precision). Their backward passes compute with what the
/// forward pass had.
Precision product_precision();

/// Puts a precision in force on the calling thread for a scope.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision previous_;
};

/// Whether this processor multiplies bfloat16 numbers itself. Otherwise Precision::bf16 has the
/// same results but for the last bits, and is slower than float32.
bool has_bf16_products();

}  // namespace gladius
