#include "gladius/autograd/ops/views.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/indexing.h"

namespace gladius {
namespace {

// Of a split: a tensor without elements may have any size, and a piece is a node of the graph.
constexpr std::int64_t kMostPieces = std::int64_t{1} << 24;

// Zeros with x at the places start, start + step, ... of dimension `dim`, whose size is `size`: the
// gradient of narrow.
Variable pad(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t step,
             std::int64_t size) {
  Shape shape = x.shape();
  const std::int64_t length = x.size(dim);
  shape[static_cast<std::size_t>(dim)] = size;
  const Tensor value = Tensor::zeros(shape, x.dtype());
  value.narrow(dim, start, length, step).copy_(x.value());
  return record("pad", value, {x}, [=](const Variable& g, const BackwardContext&) {
    return std::vector{narrow(g, dim, start, length, step)};
  });
}

Variable reshaped(const char* name, Tensor value, const Variable& x) {
  return record(name, std::move(value), {x},
                [from = x.shape()](const Variable& g, const BackwardContext&) {
                  return std::vector{reshape(g, from)};
                });
}

}  // namespace

Variable reshape(const Variable& x, const Shape& shape) {
  return reshaped("reshape", x.value().reshape(shape), x);
}

Variable view(const Variable& x, const Shape& shape) {
  return reshaped("view", x.value().view(shape), x);
}

Variable permute(const Variable& x, const std::vector<std::int64_t>& dims) {
  return record("permute", x.value().permute(dims), {x},
                [dims](const Variable& g, const BackwardContext&) {
                  std::vector<std::int64_t> inverse(dims.size());
                  for (std::size_t i = 0; i < dims.size(); ++i) {
                    inverse[static_cast<std::size_t>(normalize_dim("permute", dims[i], g.dim()))] =
                        static_cast<std::int64_t>(i);
                  }
                  return std::vector{permute(g, inverse)};
                });
}

Variable transpose(const Variable& x, std::int64_t a, std::int64_t b) {
  return record(
      "transpose", x.value().transpose(a, b), {x},
      [=](const Variable& g, const BackwardContext&) { return std::vector{transpose(g, a, b)}; });
}

Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length,
                std::int64_t step) {
  Tensor value = x.value().narrow(dim, start, length, step);
  const std::int64_t d = normalize_dim("narrow", dim, x.dim());
  return record("narrow", std::move(value), {x},
                [=, size = x.size(d)](const Variable& g, const BackwardContext&) {
                  return std::vector{pad(g, d, start, step, size)};
                });
}

Variable slice(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t end,
               std::int64_t step) {
  const std::int64_t size = x.size(normalize_dim("slice", dim, x.dim()));
  if (step < 1) {
    throw ShapeError(fmt::format("slice: a step of {} in dimension {} of {}; expected at least 1",
                                 step, dim, x.value().describe()));
  }
  const auto place = [=](std::int64_t index) {
    return std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size);
  };
  const std::int64_t from = place(start);
  const std::int64_t span = std::max<std::int64_t>(place(end) - from, 0);
  return narrow(x, dim, from, span / step + (span % step != 0), step);
}

Variable select(const Variable& x, std::int64_t dim, std::int64_t index) {
  Tensor value = x.value().select(dim, index);
  const std::int64_t d = normalize_dim("select", dim, x.dim());
  const std::int64_t size = x.size(d);
  const std::int64_t i = index < 0 ? index + size : index;
  return record("select", std::move(value), {x}, [=](const Variable& g, const BackwardContext&) {
    return std::vector{pad(unsqueeze(g, d), d, i, 1, size)};
  });
}

Variable expand(const Variable& x, const Shape& shape) {
  return record("expand", x.value().expand(shape), {x},
                [from = x.shape()](const Variable& g, const BackwardContext&) {
                  return std::vector{sum_to(g, from)};
                });
}

Variable unsqueeze(const Variable& x, std::int64_t dim) {
  Tensor value = x.value().unsqueeze(dim);
  const std::int64_t d = normalize_dim("unsqueeze", dim, value.dim());
  return record("unsqueeze", std::move(value), {x}, [=](const Variable& g, const BackwardContext&) {
    return std::vector{squeeze(g, d)};
  });
}

Variable squeeze(const Variable& x, std::int64_t dim) {
  return reshaped("squeeze", x.value().squeeze(dim), x);
}

Variable cat(const std::vector<Variable>& parts, std::int64_t dim) {
  std::vector<Tensor> tensors;
  for (const Variable& part : parts) tensors.push_back(part.value());
  Tensor value = cat(tensors, dim);
  const std::int64_t d = normalize_dim("cat", dim, value.dim());
  std::vector<std::int64_t> lengths;
  for (const Variable& part : parts) lengths.push_back(part.size(d));
  return record("cat", std::move(value), parts,
                [=](const Variable& g, const BackwardContext& context) {
                  std::vector<Variable> grads(lengths.size());
                  std::int64_t start = 0;
                  for (std::size_t i = 0; i < lengths.size(); start += lengths[i++]) {
                    if (context.needs(i)) grads[i] = narrow(g, d, start, lengths[i]);
                  }
                  return grads;
                });
}

Variable stack(const std::vector<Variable>& parts, std::int64_t dim) {
  std::vector<Tensor> tensors;
  for (const Variable& part : parts) tensors.push_back(part.value());
  Tensor value = stack(tensors, dim);
  const std::int64_t d = normalize_dim("stack", dim, value.dim());
  return record("stack", std::move(value), parts,
                [=, count = parts.size()](const Variable& g, const BackwardContext& context) {
                  std::vector<Variable> grads(count);
                  for (std::size_t i = 0; i < count; ++i) {
                    if (context.needs(i)) grads[i] = select(g, d, static_cast<std::int64_t>(i));
                  }
                  return grads;
                });
}

std::vector<Variable> split(const Variable& x, std::int64_t length, std::int64_t dim) {
  const std::int64_t size = x.size(normalize_dim("split", dim, x.dim()));
  if (length < 1 && !(length == 0 && size == 0)) {
    throw ShapeError(fmt::format("split: pieces of length {} of {}; expected at least 1", length,
                                 x.value().describe()));
  }
  const std::int64_t count = length == 0 ? 1 : size / length + (size % length != 0);
  if (count > kMostPieces) {
    throw ShapeError(fmt::format("split: {} along dimension {} into {} pieces; expected at most {}",
                                 x.value().describe(), dim, count, kMostPieces));
  }
  std::vector<Variable> pieces;
  std::int64_t start = 0;
  do {
    pieces.push_back(narrow(x, dim, start, std::min(length, size - start)));
    start += pieces.back().size(dim);
  } while (start < size);
  return pieces;
}

namespace {

// Zeros with the slices of x added at the index: the gradient of index_select.
Variable index_add(const Shape& shape, std::int64_t dim, const Tensor& index, const Variable& x) {
  Tensor value = Tensor::zeros(shape, x.dtype());
  index_add_(value, dim, index, x.value());
  return record("index_add", std::move(value), {x}, [=](const Variable& g, const BackwardContext&) {
    return std::vector{index_select(g, dim, index)};
  });
}

}  // namespace

Variable index_select(const Variable& x, std::int64_t dim, const Tensor& index) {
  return record("index_select", index_select(x.value(), dim, index), {x},
                [=, from = x.shape(), saved = SavedVariable(Variable(index))](
                    const Variable& g, const BackwardContext& context) {
                  return std::vector{index_add(from, dim, saved.tensor(context), g)};
                });
}

Variable gather(const Variable& x, std::int64_t dim, const Tensor& index) {
  return record("gather", gather(x.value(), dim, index), {x},
                [=, from = x.shape(), saved = SavedVariable(Variable(index))](
                    const Variable& g, const BackwardContext& context) {
                  const Variable zeros(Tensor::zeros(from, g.dtype()));
                  return std::vector{scatter_add(zeros, dim, saved.tensor(context), g)};
                });
}

Variable scatter_add(const Variable& x, std::int64_t dim, const Tensor& index,
                     const Variable& source) {
  Tensor value = x.value().clone();
  scatter_add_(value, dim, index, source.value());
  return record("scatter_add", std::move(value), {x, source},
                [=, saved = SavedVariable(Variable(index))](const Variable& g,
                                                            const BackwardContext& context) {
                  return std::vector{
                      g, context.needs(1) ? gather(g, dim, saved.tensor(context)) : Variable()};
                });
}

}  // namespace gladius
