#include "gladius/tensor/weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/tensor/parallel.h"
#include "gladius/tensor/weights/weight_format.h"

namespace gladius {
namespace {

// Elements of weights that are worth a thread of their own.
constexpr std::int64_t kGrainElements = 1 << 15;

// [..., C] as a matrix of rows.
Tensor as_rows(const Tensor& x) {
  return x.reshape({numel({x.shape().begin(), x.shape().end() - 1}), x.shape().back()});
}

}  // namespace

Weight::Weight(Tensor matrix)
    : matrix_(std::move(matrix)), format_(find_weight_format(matrix_.dtype())) {
  if (matrix_.dim() != 2) {
    throw ShapeError(fmt::format("weight {} is not a matrix", to_string(shape())));
  }
  if (!format_) {
    throw DtypeError(fmt::format("weight {} is not of a type that weights have; convert with to()",
                                 matrix_.describe()));
  }
}

Dtype Weight::activation_dtype() const { return format_->activation_dtype(); }

Tensor Weight::empty_result(const Tensor& x, std::int64_t from, std::int64_t to) const {
  if (x.dim() == 0 || x.size(-1) != from) {
    throw ShapeError(fmt::format("linear: input {} does not fit weight {}", to_string(x.shape()),
                                 to_string(shape())));
  }
  if (x.dtype() != activation_dtype()) {
    throw DtypeError(
        fmt::format("linear: input {} with weight {}: the types must be the same, or F32 with a "
                    "BF16 or F16 weight",
                    x.describe(), matrix_.describe()));
  }
  Shape out = x.shape();
  out.back() = to;
  return Tensor::empty(out, x.dtype());
}

Tensor Weight::apply(Product product, const Tensor& x, std::int64_t from, std::int64_t to) const {
  Tensor y = empty_result(x, from, to);
  Tensor rows = as_rows(y);
  (format_->*product)(matrix_, as_rows(x), rows);
  return y;
}

Tensor Weight::multiply(const Tensor& x) const {
  return apply(&WeightFormat::multiply, x, matrix_.size(1), matrix_.size(0));
}

Tensor Weight::multiply_transposed(const Tensor& g) const {
  return apply(&WeightFormat::multiply_transposed, g, matrix_.size(0), matrix_.size(1));
}

void Weight::multiply_transposed_into(Tensor& out, const Tensor& g) const {
  format_->multiply_transposed(matrix_, g, out);
}

Tensor Weight::rows(const Tensor& ids) const {
  Shape shape = ids.shape();
  shape.push_back(matrix_.size(1));
  Tensor y = Tensor::empty(shape, activation_dtype());
  format_->rows(matrix_, ids, y);
  return y;
}

std::vector<Tensor> multiply_each(const Tensor& x, std::span<const Weight> weights) {
  std::vector<Tensor> results;
  if (x.dim() == 0 || as_rows(x).size(0) != 1) {
    for (const Weight& weight : weights) results.push_back(weight.multiply(x));
    return results;
  }
  std::int64_t total = 0;
  for (const Weight& weight : weights) {
    results.push_back(weight.empty_result(x, weight.shape()[1], weight.shape()[0]));
    total += weight.shape()[0];
  }
  const Tensor row = as_rows(x);
  const std::int64_t grain = kGrainElements / std::max<std::int64_t>(x.size(-1), 1) + 1;
  parallel_for(total, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Weight& weight = weights[i];
      const std::int64_t N = weight.shape()[0];
      const std::int64_t first = std::clamp<std::int64_t>(begin, 0, N);
      const std::int64_t count = std::clamp<std::int64_t>(end, 0, N) - first;
      if (count > 0) {
        Tensor part = as_rows(results[i]).narrow(1, first, count);
        weight.format_->multiply(weight.matrix_.narrow(0, first, count), row, part);
      }
      begin -= N, end -= N;
    }
  });
  return results;
}

bool is_weight_dtype(Dtype dtype) { return find_weight_format(dtype) != nullptr; }

bool is_trainable(Dtype dtype) {
  const WeightFormat* format = find_weight_format(dtype);
  return format && format->is_trainable();
}

}  // namespace gladius
