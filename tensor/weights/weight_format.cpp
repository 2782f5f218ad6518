#include "gladius/tensor/weights/weight_format.h"

#include <array>
#include <utility>

#include "gladius/tensor/weights/block_format.h"
#include "gladius/tensor/weights/dense_format.h"

namespace gladius {

const WeightFormat* find_weight_format(Dtype dtype) {
  static const DenseFormat<float, float> f32;
  static const DenseFormat<double, double> f64;
  static const DenseFormat<float, bfloat16> bf16;
  static const DenseFormat<float, float16> f16;
  static const BlockFormat blocks;
  static const std::array<std::pair<Dtype, const WeightFormat*>, 4> formats{
      {{Dtype::F32, &f32}, {Dtype::F64, &f64}, {Dtype::BF16, &bf16}, {Dtype::F16, &f16}}};
  for (const auto& [type, format] : formats) {
    if (type == dtype) return format;
  }
  return is_quantized(dtype) ? &blocks : nullptr;
}

}  // namespace gladius
