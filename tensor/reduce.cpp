#include "gladius/tensor/reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
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

void check_not_empty(const char* op, const Tensor& x, const Tensor& y) {
  if (x.numel() == 0 && y.numel() > 0) {
    throw ShapeError(fmt::format("{}: {} has no elements to choose from", op, x.describe()));
  }
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
  return reduce("sum", x, dims, keepdim, 0.0, [](double a, double b) { return a + b; });
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  Tensor y = sum(x, dims, keepdim);
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

Tensor argmax(const Tensor& x, std::int64_t dim, bool keepdim) {
  const std::int64_t d = normalize_dim("argmax", dim, x.dim());
  Tensor y = Tensor::empty(reduced_shape("argmax", x.shape(), {d}, keepdim), Dtype::I64);
  check_not_empty("argmax", x, y);
  const std::int64_t n = x.size(d);
  const Tensor rows = x.transpose(d, -1).contiguous();
  const Tensor indices = Tensor::empty(rows.select(-1, 0).shape(), Dtype::I64);
  dispatch_floating("argmax", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* row = rows.data<T>();
    std::int64_t* out = indices.data<std::int64_t>();
    for (std::int64_t r = 0; r < indices.numel(); ++r, row += n) {
      // NaN counts as the largest, as in PyTorch.
      out[r] =
          std::max_element(row, row + n,
                           [](T a, T b) { return a < b || (std::isnan(b) && !std::isnan(a)); }) -
          row;
    }
  });
  // transpose(d, -1) moved the last dimension to place d.
  const Tensor placed = indices.unsqueeze(-1).transpose(d, -1);
  y.copy_(keepdim ? placed : placed.squeeze(d));
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const std::size_t added = x.shape().size() - shape.size();
  Dims dims;
  for (std::size_t d = 0; d < x.shape().size(); ++d) {
    const bool stretched = d >= added && shape[d - added] == 1 && x.shape()[d] != 1;
    if (d < added || stretched) dims.push_back(static_cast<std::int64_t>(d));
  }
  return dims.empty() ? x.reshape(shape) : sum(x, dims).reshape(shape);
}

}  // namespace gladius
