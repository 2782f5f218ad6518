#include "gladius/tensor/matmul.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/half.h"
#include "gladius/tensor/kernels/gemm.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/precision.h"

namespace gladius {
namespace {

// A matrix as BLAS takes it: rows `leading` elements apart, of its transpose if `transposed`.
struct Operand {
  Tensor tensor;  // [rows, columns]; keeps a copy alive
  bool transposed;
  std::int64_t leading;
};

bool rows_are_dense(const Tensor& m) {
  return (m.strides()[1] == 1 || m.size(1) == 1) && m.strides()[0] >= m.size(1);
}

Operand blas_operand(Tensor m) {
  const auto leading = [](const Tensor& rows) {
    return std::max<std::int64_t>({1, rows.size(1), rows.size(0) > 1 ? rows.strides()[0] : 1});
  };
  if (rows_are_dense(m)) return {m, false, leading(m)};
  const Tensor flipped = m.transpose(0, 1);
  if (rows_are_dense(flipped)) return {m, true, leading(flipped)};
  m = m.contiguous();
  return {m, false, leading(m)};
}

// The options of a caller, and what was in force on its thread.
struct Settings : MatmulOptions {
  Precision precision = product_precision();
};

template <class T, class W>
void multiply_as(const Tensor& a, const Tensor& b, Tensor& out, const Settings& settings) {
  const Operand left = blas_operand(a);
  const Operand right = blas_operand(b);
  kernels::gemm(a.size(0), b.size(1), a.size(1), left.tensor.data<T>(), left.leading,
                right.tensor.data<W>(), right.leading, out.data<T>(),
                std::max<std::int64_t>(1, b.size(1)),
                {.transpose_a = left.transposed,
                 .transpose_b = right.transposed,
                 .beta = settings.accumulate ? 1.0 : 0.0,
                 .stream = settings.stream,
                 .precision = settings.precision});
}

void multiply(const Tensor& a, const Tensor& b, Tensor& out, const Settings& settings) {
  check_arithmetic("matmul", a.dtype());
  if (out.numel() == 0) return;
  if (a.dtype() == Dtype::F64) return multiply_as<double, double>(a, b, out, settings);
  if (b.dtype() == Dtype::BF16) return multiply_as<float, bfloat16>(a, b, out, settings);
  if (b.dtype() == Dtype::F16) return multiply_as<float, float16>(a, b, out, settings);
  multiply_as<float, float>(a, b, out, settings);
}

[[noreturn]] void throw_mismatch(const Tensor& a, const Tensor& b) {
  throw ShapeError(fmt::format("matmul: {} and {} do not fit: the inner sizes differ", a.describe(),
                               b.describe()));
}

void check_scalars(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) {
    throw ShapeError(fmt::format("matmul: {} and {}: scalars have no matrix product; use mul",
                                 a.describe(), b.describe()));
  }
}

[[noreturn]] void throw_different_types(const Tensor& a, const Tensor& b) {
  throw DtypeError(fmt::format("matmul: {} and {} have different types; convert one with to()",
                               a.describe(), b.describe()));
}

bool is_half(const Tensor& x) { return x.dtype() == Dtype::BF16 || x.dtype() == Dtype::F16; }

Shape leading_sizes(const Tensor& x) { return {x.shape().begin(), x.shape().end() - 2}; }

Shape with_matrix(Shape leading, std::int64_t rows, std::int64_t columns) {
  leading.push_back(rows);
  leading.push_back(columns);
  return leading;
}

Tensor batched_matmul(const Tensor& a, const Tensor& b) {
  const std::int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  const Shape batch = broadcast_shapes("matmul", leading_sizes(a), leading_sizes(b));
  Tensor out = Tensor::empty(with_matrix(batch, m, n), a.dtype());
  const std::int64_t count = numel(batch);
  if (out.numel() == 0) return out;
  // One view of all matrices in order; reshape copies only what strides cannot express.
  const Tensor left = a.expand(with_matrix(batch, m, k)).reshape({count, m, k});
  const Tensor right = b.expand(with_matrix(batch, k, n)).reshape({count, k, n});
  const Tensor result = out.view({count, m, n});
  const Settings settings;  // of this thread, for all
  const auto products = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Tensor slice = result.select(0, i);
      multiply(left.select(0, i), right.select(0, i), slice, settings);
    }
  };
  // Many small products share out the threads; a few large ones use them one after another.
  constexpr double kSmall = 128 * 128 * 128;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (work <= kSmall) {
    const auto grain = static_cast<std::int64_t>(kSmall / 8 / std::max(work, 1.0));
    parallel_for(count, std::max<std::int64_t>(1, grain), products);
  } else {
    products(0, count);
  }
  return out;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_scalars(a, b);
  if (a.dtype() != b.dtype()) throw_different_types(a, b);
  if (a.dim() == 1) return matmul(a.unsqueeze(0), b).squeeze(b.dim() == 1 ? 0 : -2);
  if (b.dim() == 1) return matmul(a, b.unsqueeze(-1)).squeeze(-1);
  if (a.size(-1) != b.size(-2)) throw_mismatch(a, b);
  if (b.dim() > 2) return batched_matmul(a, b);
  // One matrix on the right: all rows on the left are one product.
  Shape shape = a.shape();
  shape.back() = b.size(1);
  Tensor out = Tensor::empty(shape, a.dtype());
  Tensor rows = out.view({numel(leading_sizes(a)) * a.size(-2), b.size(1)});
  multiply(a.reshape({rows.size(0), a.size(-1)}), b, rows, {});
  return out;
}

void matmul_into(Tensor& out, const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  check_scalars(a, b);
  if (a.dtype() != b.dtype() && !(a.dtype() == Dtype::F32 && is_half(b))) {
    throw_different_types(a, b);
  }
  if (a.dim() != 2 || b.dim() != 2 || a.size(1) != b.size(0)) throw_mismatch(a, b);
  if (out.shape() != Shape{a.size(0), b.size(1)} || out.dtype() != a.dtype() ||
      !out.is_contiguous()) {
    throw ShapeError(fmt::format("matmul_into: {} cannot take the product of {} and {}",
                                 out.describe(), a.describe(), b.describe()));
  }
  out.mark_written();
  multiply(a, b, out, {options});
}

}  // namespace gladius
