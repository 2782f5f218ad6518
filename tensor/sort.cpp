#include "gladius/tensor/sort.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/ordering.h"
#include "gladius/tensor/rows_along.h"

namespace gladius {
namespace {

// The indices of the first k elements of a row of n, in order.
template <class T>
std::vector<std::int64_t> first_in_order(const T* row, std::int64_t n, std::int64_t k,
                                         bool descending) {
  const auto before = [=](std::int64_t i, std::int64_t j) {
    const auto a = static_cast<Comparable<T>>(row[i]), b = static_cast<Comparable<T>>(row[j]);
    const bool less = less_nan_last(a, b), greater = less_nan_last(b, a);
    if (!less && !greater) return i < j;
    return descending ? greater : less;
  };
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (k < n) std::nth_element(order.begin(), order.begin() + k, order.end(), before);
  order.resize(static_cast<std::size_t>(k));
  std::sort(order.begin(), order.end(), before);
  return order;
}

Sorted pick(const RowsAlong& rows, Dtype dtype, std::int64_t k, bool descending) {
  const std::int64_t n = rows.length();
  const Tensor values = rows.result(k, dtype);
  const Tensor indices = rows.result(k, Dtype::I64);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* in = rows.data<T>();
    T* out = values.data<T>();
    std::int64_t* places = indices.data<std::int64_t>();
    rows.for_each([&](std::int64_t r) {
      const T* row = in + r * n;
      const std::vector<std::int64_t> order = first_in_order(row, n, k, descending);
      std::ranges::copy(order, places + r * k);
      std::ranges::transform(order, out + r * k, [=](std::int64_t i) { return row[i]; });
    });
  });
  return {rows.put_back(values), rows.put_back(indices)};
}

}  // namespace

Sorted sort(const Tensor& x, std::int64_t dim, bool descending) {
  const RowsAlong rows("sort", x, dim);
  return pick(rows, x.dtype(), rows.length(), descending);
}

Sorted topk(const Tensor& x, std::int64_t k, std::int64_t dim, bool largest) {
  const RowsAlong rows("topk", x, dim);
  if (k < 0 || k > rows.length()) {
    throw ShapeError(fmt::format("topk: k = {} of the {} elements along dimension {} of {}", k,
                                 rows.length(), dim, x.describe()));
  }
  return pick(rows, x.dtype(), k, largest);
}

}  // namespace gladius
