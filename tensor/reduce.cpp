#include "gladius/tensor/reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/ordering.h"
#include "gladius/tensor/rows_along.h"
#include "gladius/tensor/strided.h"

namespace gladius {
namespace {

std::vector<bool> reduced_flags(const char* op, std::int64_t rank, const Dims& dims) {
  std::vector<bool> reduced(static_cast<std::size_t>(rank), dims.empty());
  for (const std::int64_t dim : dims) {
    const auto d = static_cast<std::size_t>(normalize_dim(op, dim, rank));
    if (reduced[d]) throw ShapeError(fmt::format("{}: dimension {} is named twice", op, dim));
    reduced[d] = true;
  }
  return reduced;
}

// The dimensions of a tensor, split into those that stay and those that are reduced.
struct Split {
  Split(const Tensor& x, const std::vector<bool>& reduced) {
    for (std::size_t d = 0; d < reduced.size(); ++d) {
      (reduced[d] ? reduced_sizes : kept_sizes).push_back(x.shape()[d]);
      (reduced[d] ? reduced_strides : kept_strides).push_back(x.strides()[d]);
    }
  }
  Shape kept_sizes, reduced_sizes;
  Strides kept_strides, reduced_strides;
};

// results[o] = combine over the reduced elements of output o, from `start`; in the accumulator's
// type.
template <class T, class Acc, class Combine>
std::vector<Acc> fold(const Tensor& x, const Split& split, Acc start, Combine combine) {
  const Strides out_strides = contiguous_strides(split.kept_sizes);
  const StridedLoop<2> kept(split.kept_sizes, {&out_strides, &split.kept_strides});
  const StridedLoop<1> reduced(split.reduced_sizes, {&split.reduced_strides});
  std::vector<Acc> results(static_cast<std::size_t>(kept.count), start);
  if (x.numel() == 0) return results;
  const T* data = x.data<T>();
  const std::int64_t out_step = kept.inner[1];
  const std::int64_t in_step = reduced.inner[0];
  // Walk along whichever dimension lies closer together in memory.
  const bool outputs_inside = std::abs(out_step) < std::abs(in_step);
  kept.parallel_rows(
      [&](const auto& at, std::int64_t outputs) {
        Acc* to = results.data() + at[0];
        const T* from = data + at[1];
        reduced.rows(0, reduced.count, [&](const auto& offset, std::int64_t n) {
          const T* row = from + offset[0];
          if (outputs_inside) {
            for (std::int64_t i = 0; i < n; ++i) {
              for (std::int64_t o = 0; o < outputs; ++o) {
                to[o] = combine(to[o], static_cast<Acc>(row[i * in_step + o * out_step]));
              }
            }
          } else {
            for (std::int64_t o = 0; o < outputs; ++o) {
              Acc value = to[o];
              for (std::int64_t i = 0; i < n; ++i) {
                value = combine(value, static_cast<Acc>(row[o * out_step + i * in_step]));
              }
              to[o] = value;
            }
          }
        });
      },
      std::max<std::int64_t>(1, (1 << 15) / std::max<std::int64_t>(reduced.count, 1)));
  return results;
}

template <class Acc, class Combine>
Tensor reduce(const char* op, const Tensor& x, const Dims& dims, bool keepdim, Acc start,
              Combine combine) {
  Tensor y = Tensor::empty(reduced_shape(op, x.shape(), dims, keepdim), x.dtype());
  const Split split(x, reduced_flags(op, x.dim(), dims));
  dispatch_floating(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::vector<Acc> results = fold<T>(x, split, start, combine);
    std::ranges::transform(results, y.data<T>(), [](Acc value) { return static_cast<T>(value); });
  });
  return y;
}

Tensor total(const char* op, const Tensor& x, const Dims& dims, bool keepdim) {
  return reduce(op, x, dims, keepdim, 0.0, [](double a, double b) { return a + b; });
}

void check_not_empty(const char* op, const Tensor& x, const Tensor& y) {
  if (x.numel() == 0 && y.numel() > 0) {
    throw ShapeError(fmt::format("{}: {} has no elements to choose from", op, x.describe()));
  }
}

// The first index of a row whose element no other one beats; the first NaN if there is one.
template <class V, class T, class Better>
std::int64_t first_extreme(const T* row, std::int64_t n, Better better) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const V value = static_cast<V>(row[i]);
    if (is_nan(value)) return i;
    if (better(value, static_cast<V>(row[best]))) best = i;
  }
  return best;
}

template <class Better>
Tensor arg_extreme(const char* op, const Tensor& x, std::int64_t dim, bool keepdim, Better better) {
  const RowsAlong rows(op, x, dim);
  const Tensor indices = rows.result(1, Dtype::I64);
  check_not_empty(op, x, indices);
  const std::int64_t n = rows.length();
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = rows.data<T>();
    std::int64_t* out = indices.data<std::int64_t>();
    rows.for_each(
        [&](std::int64_t r) { out[r] = first_extreme<Comparable<T>>(in + r * n, n, better); });
  });
  const Tensor y = rows.put_back(indices);
  return keepdim || x.dim() == 0 ? y : y.squeeze(rows.dim());
}

}  // namespace

Shape reduced_shape(const char* op, const Shape& shape, const Dims& dims, bool keepdim) {
  const std::vector<bool> reduced =
      reduced_flags(op, static_cast<std::int64_t>(shape.size()), dims);
  Shape result;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!reduced[d]) {
      result.push_back(shape[d]);
    } else if (keepdim) {
      result.push_back(1);
    }
  }
  return result;
}

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
  return total("sum", x, dims, keepdim);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  Tensor y = total("mean", x, dims, keepdim);
  mul_(y, static_cast<double>(y.numel()) / static_cast<double>(x.numel()));
  return y;
}

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
  Tensor y = reduce("amax", x, dims, keepdim, -std::numeric_limits<double>::infinity(),
                    [](double a, double b) { return a > b || std::isnan(a) ? a : b; });
  check_not_empty("amax", x, y);
  return y;
}

Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
  Tensor y = reduce("amin", x, dims, keepdim, std::numeric_limits<double>::infinity(),
                    [](double a, double b) { return a < b || std::isnan(a) ? a : b; });
  check_not_empty("amin", x, y);
  return y;
}

Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim) {
  check_arithmetic("logsumexp", x.dtype());
  const Shape kept = reduced_shape("logsumexp", x.shape(), dims, true);
  // Shifted by the largest; an infinite one (or none) shifts by 0, as inf - inf is no number.
  const Tensor zero = Tensor::zeros({}, x.dtype());
  Tensor shift = x.numel() == 0 ? zero.expand(kept) : amax(x, dims, true);
  shift = where(lt(abs(shift), Tensor::full({}, INFINITY, x.dtype())), shift, zero);
  const Tensor y = add(log(sum(exp(sub(x, shift)), dims, true)), shift);
  return y.reshape(reduced_shape("logsumexp", x.shape(), dims, keepdim));
}

Tensor argmax(const Tensor& x, std::int64_t dim, bool keepdim) {
  return arg_extreme("argmax", x, dim, keepdim, std::greater<>());
}

Tensor argmin(const Tensor& x, std::int64_t dim, bool keepdim) {
  return arg_extreme("argmin", x, dim, keepdim, std::less<>());
}

Tensor cumsum(const Tensor& x, std::int64_t dim) {
  if (is_floating_point(x.dtype())) check_arithmetic("cumsum", x.dtype());
  const RowsAlong rows("cumsum", is_floating_point(x.dtype()) ? x : x.to(Dtype::I64), dim);
  const auto sums = [&]<class T, class Acc>(T, Acc) {
    const std::int64_t n = rows.length();
    const Tensor y = rows.result(n, dtype_of<T>);
    rows.for_each([&](std::int64_t r) {
      const T* in = rows.data<T>() + r * n;
      T* out = y.data<T>() + r * n;
      Acc running{0};
      for (std::int64_t i = 0; i < n; ++i) {
        running += static_cast<Acc>(in[i]);
        out[i] = static_cast<T>(running);
      }
    });
    return rows.put_back(y);
  };
  if (x.dtype() == Dtype::F32) return sums(float{}, double{});
  if (x.dtype() == Dtype::F64) return sums(double{}, double{});
  return sums(std::int64_t{}, std::uint64_t{});  // unsigned, to wrap around where it overflows
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  check_broadcasts_to("sum_to", shape, x.shape());
  const std::size_t added = x.shape().size() - shape.size();
  Dims dims;
  for (std::size_t d = 0; d < x.shape().size(); ++d) {
    const bool stretched = d >= added && shape[d - added] == 1 && x.shape()[d] != 1;
    if (d < added || stretched) dims.push_back(static_cast<std::int64_t>(d));
  }
  return dims.empty() ? x.reshape(shape) : sum(x, dims).reshape(shape);
}

}  // namespace gladius
