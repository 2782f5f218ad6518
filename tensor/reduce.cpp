#include "gladius/tensor/reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <type_traits>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/kernels/scratch.h"
#include "gladius/tensor/kernels/sum.h"
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

// n elements each of neighbouring reductions, and how far apart they lie.
template <class T>
struct Block {
  const T* x;
  std::int64_t outputs, out_step;
  std::int64_t n, in_step;

  // Whichever dimension lies closer together in memory is walked along.
  bool outputs_inside() const { return std::abs(out_step) < std::abs(in_step); }
};

struct Max {
  double operator()(double a, double b) const { return a > b || std::isnan(a) ? a : b; }
  static constexpr double start = -std::numeric_limits<double>::infinity();
};

struct Min {
  double operator()(double a, double b) const { return a < b || std::isnan(a) ? a : b; }
  static constexpr double start = std::numeric_limits<double>::infinity();
};

struct Sum {
  double operator()(double a, double b) const { return a + b; }
  static constexpr double start = 0;
};

// Adds up the block in vectors; false if too few elements lie beside each other for that.
template <class T>
bool sum_vectors(const Block<T>& block, double* to) {
  constexpr std::int64_t least = 16;
  if (block.outputs_inside()) {
    if (block.out_step != 1 || block.outputs < least) return false;
    kernels::add_rows(block.n, block.outputs, block.x, block.in_step, to);
  } else {
    if (block.in_step != 1 || block.n < least) return false;
    for (std::int64_t o = 0; o < block.outputs; ++o) {
      to[o] += kernels::sum(block.x + o * block.out_step, block.n);
    }
  }
  return true;
}

// to[o] = combine over to[o] and the elements of output o.
template <class T, class Combine>
void fold_block(const Block<T>& block, double* to, Combine combine) {
  if constexpr (std::is_same_v<Combine, Sum>) {
    if (sum_vectors(block, to)) return;
  }
  const auto fold_one = [&](std::int64_t o, std::int64_t i) {
    to[o] = combine(to[o], static_cast<double>(block.x[o * block.out_step + i * block.in_step]));
  };
  if (block.outputs_inside()) {
    for (std::int64_t i = 0; i < block.n; ++i) {
      for (std::int64_t o = 0; o < block.outputs; ++o) fold_one(o, i);
    }
  } else {
    for (std::int64_t o = 0; o < block.outputs; ++o) {
      for (std::int64_t i = 0; i < block.n; ++i) fold_one(o, i);
    }
  }
}

// The results over the reduced elements of each output. The threads share the outputs, or, if those
// are few, pieces of the reduced elements, which do not depend on the number of threads.
template <class T, class Combine>
std::vector<double> fold(const Tensor& x, const Split& split, Combine combine) {
  constexpr std::int64_t few = 64, grain = 1 << 15;
  std::vector<double> results(static_cast<std::size_t>(numel(split.kept_sizes)), Combine::start);
  if (x.numel() == 0) return results;  // the product of the other sizes may overflow
  const Strides out_strides = contiguous_strides(split.kept_sizes);
  const StridedLoop<2> kept(split.kept_sizes, {&out_strides, &split.kept_strides});
  const StridedLoop<1> reduced(split.reduced_sizes, {&split.reduced_strides});
  const T* data = x.data<T>();
  const auto fold_range = [&](const auto& at, std::int64_t outputs, std::int64_t begin,
                              std::int64_t end, double* to) {
    reduced.rows(begin, end, [&](const auto& offset, std::int64_t n) {
      const T* from = data + at[1] + offset[0];
      fold_block(Block<T>{from, outputs, kept.inner[1], n, reduced.inner[0]}, to + at[0], combine);
    });
  };
  if (kept.count >= few) {
    kept.parallel_rows(
        [&](const auto& at, std::int64_t outputs) {
          fold_range(at, outputs, 0, reduced.count, results.data());
        },
        std::max<std::int64_t>(1, grain / reduced.count));
    return results;
  }
  const std::int64_t piece = grain / kept.count;
  const std::int64_t pieces = kernels::ceil_div(reduced.count, piece);
  std::vector<double> parts(static_cast<std::size_t>(pieces * kept.count), Combine::start);
  parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      kept.rows(0, kept.count, [&](const auto& at, std::int64_t outputs) {
        fold_range(at, outputs, p * piece, std::min((p + 1) * piece, reduced.count),
                   parts.data() + p * kept.count);
      });
    }
  });
  fold_block(Block<double>{parts.data(), kept.count, 1, pieces, kept.count}, results.data(),
             combine);
  return results;
}

// Of each result, also where there is none: PyTorch's rule.
void check_choices(const char* op, const Tensor& x, std::int64_t choices) {
  if (choices == 0) {
    throw ShapeError(fmt::format("{}: {} has no elements to choose from", op, x.describe()));
  }
}

template <class Combine>
Tensor reduce(const char* op, const Tensor& x, const Dims& dims, bool keepdim, Combine combine) {
  Tensor y = Tensor::empty(reduced_shape(op, x.shape(), dims, keepdim), x.dtype());
  const Split split(x, reduced_flags(op, x.dim(), dims));
  if constexpr (!std::is_same_v<Combine, Sum>) check_choices(op, x, numel(split.reduced_sizes));
  dispatch_floating(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::vector<double> results = fold<T>(x, split, combine);
    std::ranges::transform(results, y.data<T>(), [](double v) { return static_cast<T>(v); });
  });
  return y;
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
  const std::int64_t n = rows.length();
  check_choices(op, x, n);
  const Tensor indices = rows.result(1, Dtype::I64);
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
  return reduce("sum", x, dims, keepdim, Sum());
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  Tensor y = reduce("mean", x, dims, keepdim, Sum());
  mul_(y, static_cast<double>(y.numel()) / static_cast<double>(x.numel()));
  return y;
}

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
  return reduce("amax", x, dims, keepdim, Max());
}

Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
  return reduce("amin", x, dims, keepdim, Min());
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
