#include "gladius/autograd/ops/linear_losses.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/linear_blocks.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/views.h"

namespace gladius {
namespace {

using namespace linear_blocks;
using namespace vocabulary_loss;

// In operations on variables, with all logits.
std::vector<Variable> recorded_backward(const Variable& x, const Variable& weight,
                                        const Tensor& labels, std::int64_t ignore_index,
                                        double share, const Variable& seed,
                                        const BackwardContext& context) {
  const Variable logits = linear(x, weight);
  const Variable mean = cross_entropy(logits, labels, ignore_index);
  const Variable g = grad({mean}, {logits}, {seed * share},
                          /*retain_graph=*/true, /*create_graph=*/true)[0];
  const Variable w = weight.dtype() == x.dtype() ? weight : Variable(weight.value().to(x.dtype()));
  return {context.needs(0) ? matmul(g, w) : Variable(),
          context.needs(1) ? matmul(transpose(g, 0, 1), x) : Variable()};
}

}  // namespace

Variable linear_cross_entropy(const Variable& x, const Variable& weight, const Tensor& labels,
                              std::int64_t ignore_index, std::int64_t divisor) {
  Task task{.op = "linear_cross_entropy", .ignore_index = ignore_index};
  check(task.op, x, weight, labels);
  const Tensor targets = fitting_labels(task.op, labels);
  const std::int64_t count = count_labels(task.op, weight.size(0), targets, ignore_index);
  const auto own = static_cast<double>(std::max<std::int64_t>(1, count));
  const double whole = divisor != 0 ? static_cast<double>(divisor) : own;
  task.ce_scale = 1 / whole;
  Forward result =
      forward(x, weight, block_ends(x.size(0)),
              [&](const Tensor& logits, std::int64_t begin, const Tensor& gradient) {
                return run(task, {logits, {}, targets.narrow(0, begin, logits.size(0))}, gradient);
              });
  return record(task.op, Tensor::scalar(total(result.terms, task), x.dtype()), {x, weight},
                [=, share = own / whole, gradients = std::move(result.gradients),
                 u = SavedVariable(x, Keep::as_activation), v = SavedVariable(weight)](
                    const Variable& g, const BackwardContext& context) mutable {
                  if (!grad_enabled()) return backward(gradients, g.value(), u, v, context);
                  return recorded_backward(u.unpack(context), v.unpack(context), targets,
                                           ignore_index, share, g, context);
                });
}

LogitRows rows_of(Tensor logits, std::int64_t N) {
  if (logits.dim() != 2 || logits.size(0) != N) {
    throw ShapeError(fmt::format("rows_of: logits {} are not {} rows", logits.describe(), N));
  }
  return [logits = std::move(logits)](std::int64_t begin, std::int64_t end) {
    return logits.narrow(0, begin, end - begin);
  };
}

DistillationLoss linear_distillation_loss(const Variable& x, const Variable& weight,
                                          const LogitRows& teacher, const Tensor& labels,
                                          const DistillationOptions& options) {
  const TargetRows targets = [&](const Tensor& student, std::int64_t begin) {
    return teacher(begin, begin + student.size(0));
  };
  return linear_distillation_loss(x, weight, targets, labels, options);
}

DistillationLoss linear_distillation_loss(const Variable& x, const Variable& weight,
                                          const TargetRows& targets, const Tensor& labels,
                                          const DistillationOptions& options) {
  constexpr const char* kName = "linear_distillation_loss";
  check(kName, x, weight, labels);
  const Tensor classes = fitting_labels(kName, labels);
  const Distillation settled = distillation(kName, weight.size(0), classes, options);
  const Task& task = settled.task;
  Forward result = forward(x, weight, block_ends(x.size(0)),
                           [&](const Tensor& logits, std::int64_t begin, const Tensor& gradient) {
                             const Tensor teacher = fitting_teacher(
                                 task, logits, targets(logits, begin), options.vocabulary == 0);
                             const std::int64_t rows = logits.size(0);
                             return run(task,
                                        {logits, teacher, classes.narrow(0, begin, rows),
                                         rows_of_mask(settled.compared, begin, rows)},
                                        gradient);
                           });
  return record_distillation(x, weight, std::move(result), settled);
}

}  // namespace gladius
