#include "gladius/tensor/indexing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/same_dtype.h"
#include "gladius/tensor/strided.h"

namespace gladius {
namespace {

std::int64_t checked_index(const char* op, std::int64_t index, std::int64_t size) {
  if (index < 0 || index >= size) {
    throw ShapeError(
        fmt::format("{}: index {} is out of range for a dimension of size {}", op, index, size));
  }
  return index;
}

std::vector<std::int64_t> index_list(const char* op, const Tensor& index, std::int64_t size) {
  if (index.dim() != 1) {
    throw ShapeError(fmt::format("{}: the index is {}, not one-dimensional", op, index.describe()));
  }
  std::vector<std::int64_t> list = as_indices(op, "index", index).to_vector<std::int64_t>();
  for (const std::int64_t i : list) checked_index(op, i, size);
  return list;
}

// For gather and scatter_add_, and an I64 index: `other` has the shape of the index, which x covers
// but for dimension d, and whose every entry is an index along d.
void check_along_index(const char* op, const Tensor& x, std::size_t d, const Tensor& index,
                       const Tensor& other) {
  check_same_dtype(op, x, other);
  bool fits = index.dim() == x.dim() && other.shape() == index.shape();
  for (std::size_t i = 0; fits && i < x.shape().size(); ++i) {
    fits = i == d || index.shape()[i] <= x.shape()[i];
  }
  if (!fits) {
    throw ShapeError(fmt::format("{}: index {} does not fit {} and {} along dimension {}", op,
                                 to_string(index.shape()), x.describe(), other.describe(), d));
  }
  for (const std::int64_t i : index.to_vector<std::int64_t>()) checked_index(op, i, x.shape()[d]);
}

// Calls visit(element of x at the index, other element), serially and in order, so that sums do
// not depend on threads.
template <class T, class Visit>
void along_index(const Tensor& x, std::size_t d, const Tensor& index, const Tensor& other,
                 Visit visit) {
  Strides base = x.strides();  // the index replaces the walk along d
  const std::int64_t step = base[d];
  base[d] = 0;
  const StridedLoop<3> loop(index.shape(), {&base, &index.strides(), &other.strides()});
  const std::int64_t* indices = index.data<std::int64_t>();
  T* data = x.data<T>();
  T* rest = other.data<T>();
  loop.rows(0, loop.count, [&](const auto& at, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t k = indices[at[1] + i * loop.inner[1]];
      visit(data[at[0] + i * loop.inner[0] + k * step], rest[at[2] + i * loop.inner[2]]);
    }
  });
}

// keep(row, columns, diagonal) gives the columns that stay.
template <class Keep>
Tensor triangle(const char* op, const Tensor& x, std::int64_t diagonal, Keep keep) {
  if (x.dim() < 2) throw ShapeError(fmt::format("{}: {} is not a matrix", op, x.describe()));
  const Tensor y = x.clone();
  const std::int64_t rows = x.size(-2);
  diagonal = std::clamp(diagonal, -rows, x.size(-1));  // those beyond keep all or nothing alike
  const auto row_bytes = static_cast<std::size_t>(x.size(-1)) * dtype_size(x.dtype());
  const std::size_t size = dtype_size(x.dtype());
  if (y.numel() == 0) return y;
  std::byte* data = y.raw_data();
  for (std::int64_t r = 0; r < y.numel() / x.size(-1); ++r, data += row_bytes) {
    const auto [begin, end] = keep(r % rows, x.size(-1), diagonal);
    std::memset(data, 0, static_cast<std::size_t>(begin) * size);
    std::memset(data + static_cast<std::size_t>(end) * size, 0,
                row_bytes - static_cast<std::size_t>(end) * size);
  }
  return y;
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, std::int64_t dim) {
  if (tensors.empty()) throw ShapeError("cat: no tensors");
  const Tensor& first = tensors.front();
  const auto d = static_cast<std::size_t>(normalize_dim("cat", dim, first.dim()));
  Shape shape = first.shape();
  shape[d] = 0;
  for (const Tensor& tensor : tensors) {
    Shape expected = first.shape();
    if (tensor.dim() == first.dim()) expected[d] = tensor.shape()[d];
    check_same_dtype("cat", first, tensor);
    if (tensor.shape() != expected) {
      throw ShapeError(fmt::format("cat: {} does not fit {} along dimension {}", tensor.describe(),
                                   first.describe(), dim));
    }
    if (__builtin_add_overflow(shape[d], tensor.shape()[d], &shape[d])) {
      throw ShapeError(fmt::format("cat: the sizes along dimension {} overflow", dim));
    }
  }
  const Tensor out = Tensor::empty(shape, first.dtype());
  std::int64_t at = 0;
  for (const Tensor& tensor : tensors) {
    out.narrow(dim, at, tensor.shape()[d]).copy_(tensor);
    at += tensor.shape()[d];
  }
  return out;
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t dim) {
  if (tensors.empty()) throw ShapeError("stack: no tensors");
  const Tensor& first = tensors.front();
  const std::int64_t d = normalize_dim("stack", dim, first.dim() + 1);
  std::vector<Tensor> rows;
  for (const Tensor& tensor : tensors) {
    check_same_dtype("stack", first, tensor);
    if (tensor.shape() != first.shape()) {
      throw ShapeError(
          fmt::format("stack: {} has not the shape of {}", tensor.describe(), first.describe()));
    }
    rows.push_back(tensor.unsqueeze(d));
  }
  return cat(rows, d);
}

Tensor as_indices(const char* op, const char* what, const Tensor& indices) {
  if (indices.dtype() != Dtype::I64 && indices.dtype() != Dtype::I32) {
    throw DtypeError(fmt::format("{}: {} {}; expected I64 or I32", op, what, indices.describe()));
  }
  return indices.to(Dtype::I64);
}

Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index) {
  const std::int64_t d = normalize_dim("index_select", dim, x.dim());
  const std::vector<std::int64_t> list = index_list("index_select", index, x.size(d));
  Shape shape = x.shape();
  shape[static_cast<std::size_t>(d)] = index.numel();
  const Tensor out = Tensor::empty(shape, x.dtype());
  for (std::size_t i = 0; i < list.size(); ++i) {
    out.select(d, static_cast<std::int64_t>(i)).copy_(x.select(d, list[i]));
  }
  return out;
}

void index_add_(Tensor& target, std::int64_t dim, const Tensor& index, const Tensor& source) {
  check_arithmetic("index_add_", target.dtype());
  check_same_dtype("index_add_", target, source);
  const std::int64_t d = normalize_dim("index_add_", dim, target.dim());
  const std::vector<std::int64_t> list = index_list("index_add_", index, target.size(d));
  Shape expected = target.shape();
  expected[static_cast<std::size_t>(d)] = index.numel();
  if (source.shape() != expected) {
    throw ShapeError(fmt::format("index_add_: source {} does not fit {} with {} indices",
                                 source.describe(), target.describe(), index.numel()));
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    Tensor slice = target.select(d, list[i]);
    add_(slice, source.select(d, static_cast<std::int64_t>(i)));
  }
}

Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
  const auto d = static_cast<std::size_t>(normalize_dim("gather", dim, x.dim()));
  const Tensor picks = as_indices("gather", "index", index);
  const Tensor out = Tensor::empty(index.shape(), x.dtype());
  check_along_index("gather", x, d, picks, out);
  dispatch(x.dtype(), [&]<class T>(T) {
    along_index<T>(x, d, picks, out, [](T& element, T& picked) { picked = element; });
  });
  return out;
}

void scatter_add_(Tensor& target, std::int64_t dim, const Tensor& index, const Tensor& source) {
  check_arithmetic("scatter_add_", target.dtype());
  const auto d = static_cast<std::size_t>(normalize_dim("scatter_add_", dim, target.dim()));
  const Tensor places = as_indices("scatter_add_", "index", index);
  check_along_index("scatter_add_", target, d, places, source);
  target.mark_written("scatter_add_");
  // What is added must not change on the way.
  const Tensor added = source.storage() == target.storage() ? source.clone() : source;
  dispatch_floating("scatter_add_", target.dtype(), [&]<class T>(T) {
    along_index<T>(target, d, places, added, [](T& element, T& value) { element += value; });
  });
}

Tensor tril(const Tensor& x, std::int64_t diagonal) {
  return triangle(
      "tril", x, diagonal, [](std::int64_t row, std::int64_t columns, std::int64_t above) {
        return std::pair{std::int64_t{0}, std::clamp<std::int64_t>(row + above + 1, 0, columns)};
      });
}

Tensor triu(const Tensor& x, std::int64_t diagonal) {
  return triangle("triu", x, diagonal,
                  [](std::int64_t row, std::int64_t columns, std::int64_t above) {
                    return std::pair{std::clamp<std::int64_t>(row + above, 0, columns), columns};
                  });
}

}  // namespace gladius
