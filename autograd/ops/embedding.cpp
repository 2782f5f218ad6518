#include "gladius/tensor/kernels/embedding.h"

#include <fmt/format.h>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/embedding.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/weight.h"

namespace gladius {
namespace {

void check_table(const Tensor& weight) {
  if (weight.dim() != 2) {
    throw ShapeError(fmt::format("embedding: weight {} is not [V, C]", weight.describe()));
  }
  if (!is_weight_dtype(weight.dtype())) {
    throw DtypeError(
        fmt::format("embedding: weight {} is no floating-point table", weight.describe()));
  }
}

void check_ids(const Tensor& weight, const Tensor& ids) {
  for (const std::int64_t id : ids.to_vector<std::int64_t>()) {
    if (id < 0 || id >= weight.size(0)) {
      throw ShapeError(fmt::format("embedding: id {} is not below the {} rows of the table", id,
                                   weight.size(0)));
    }
  }
}

// Threads share out the columns, so that each row is summed in the order of the tokens.
void add_rows(Tensor& table, const Tensor& ids, const Tensor& dy) {
  table.mark_written();
  dispatch_floating("embedding", table.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(table.size(1), 64, [&](std::int64_t begin, std::int64_t end) {
      kernels::embedding_backward(dy.data<T>(), ids.data<std::int64_t>(), table.data<T>(),
                                  ids.numel(), table.size(1), begin, end);
    });
  });
}

Variable checked_embedding(const Variable& weight, const Tensor& ids);

// Zeros with the rows of g added at the ids: the gradient of the look-up, whose own is a look-up.
Variable scatter_rows(const Shape& shape, const Tensor& ids, const Variable& g) {
  Tensor table = Tensor::zeros(shape, g.dtype());
  add_rows(table, ids, g.value().contiguous());
  return record("embedding_backward", std::move(table), {g},
                [ids](const Variable& h, const BackwardContext&) {
                  return std::vector{checked_embedding(h, ids)};
                });
}

// For contiguous ids that are known to be rows of the table.
Variable checked_embedding(const Variable& weight, const Tensor& ids) {
  return record("embedding", Weight(weight.value()).rows(ids), {weight},
                [=, shape = weight.shape()](const Variable& g, const BackwardContext& context) {
                  Tensor* held = grad_enabled() ? nullptr : context.accumulate_into(0);
                  if (!held) return std::vector{scatter_rows(shape, ids, g)};
                  add_rows(*held, ids, g.value().contiguous());
                  return std::vector{Variable()};
                });
}

}  // namespace

Variable embedding(const Variable& weight, const Tensor& ids) {
  check_table(weight.value());
  const Tensor rows = as_indices("embedding", "ids", ids).contiguous();
  check_ids(weight.value(), rows);
  return checked_embedding(weight, rows);
}

}  // namespace gladius
