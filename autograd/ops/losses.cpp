#include "gladius/autograd/ops/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "gladius/autograd/node.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/kernels/distillation_loss.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

// Rows with a label; checks all labels.
std::int64_t count_labels(const char* op, const Tensor& logits, const Tensor& labels,
                          std::int64_t ignore_index) {
  if (logits.dim() != 2 || labels.shape() != Shape{logits.size(0)} ||
      labels.dtype() != Dtype::I64) {
    throw ShapeError(fmt::format("{}: logits {} and labels {}; expected [N, V] and I64 [N]", op,
                                 logits.describe(), labels.describe()));
  }
  std::int64_t count = 0;
  for (std::int64_t row = 0; const std::int64_t label : labels.to_vector<std::int64_t>()) {
    if (label != ignore_index && (label < 0 || label >= logits.size(1))) {
      throw ShapeError(fmt::format("{}: label {} at row {} is not in [0, {}) nor {}", op, label,
                                   row, logits.size(1), ignore_index));
    }
    count += label != ignore_index;
    ++row;
  }
  return count;
}

// What the kernel is to compute; an undefined teacher means cross-entropy alone.
struct Task {
  const char* op;
  Tensor logits, teacher, labels;
  std::int64_t vocabulary, ignore_index;
  double temperature, ce_scale, kl_scale;
};

struct Sums {
  double ce, kl;
};

// Runs the kernel over all rows; writes the gradient if there is a place for it. The sums are taken
// in the order of the rows.
Sums run(const Task& task, const Tensor& gradient) {
  const std::int64_t N = task.logits.size(0), V = task.logits.size(1);
  std::vector<double> ce(static_cast<std::size_t>(N)), kl(ce);
  const std::int64_t width = task.teacher.defined() ? task.teacher.size(1) : 0;
  dispatch_floating(task.op, task.logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(N, 1, [&](std::int64_t begin, std::int64_t end) {
      kernels::distillation_loss<T>(task.logits.data<T>() + begin * V,
                                    width > 0 ? task.teacher.data<T>() + begin * width : nullptr,
                                    task.labels.data<std::int64_t>() + begin,
                                    gradient.defined() ? gradient.data<T>() + begin * V : nullptr,
                                    ce.data() + begin, kl.data() + begin, end - begin, V, width,
                                    task.vocabulary, task.ignore_index, task.temperature,
                                    task.ce_scale, task.kl_scale);
    });
  });
  return {std::accumulate(ce.begin(), ce.end(), 0.0), std::accumulate(kl.begin(), kl.end(), 0.0)};
}

// Forward and gradient in one go: the gradient is there before backward asks for it.
std::pair<Variable, Sums> fused_loss(const Variable& logits, const Task& task) {
  const bool differentiate = grad_enabled() && logits.requires_grad();
  Tensor gradient =
      differentiate ? Tensor::empty(task.logits.shape(), task.logits.dtype()) : Tensor();
  const Sums sums = run(task, gradient);
  const double total = sums.ce * task.ce_scale + sums.kl * task.kl_scale;
  Variable loss = record(task.op, Tensor::scalar(total, task.logits.dtype()), {logits},
                         [gradient](const Variable& g, const BackwardContext& context) mutable {
                           refuse_double_backward(context);
                           const double seed = g.item();
                           if (!context.frees_saved())
                             return std::vector{Variable(mul(gradient, seed))};
                           if (seed != 1) mul_(gradient, seed);
                           return std::vector{Variable(std::move(gradient))};
                         });
  return {std::move(loss), sums};
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Tensor& labels, std::int64_t ignore_index) {
  const std::int64_t count = count_labels("cross_entropy", logits.value(), labels, ignore_index);
  return fused_loss(logits, {.op = "cross_entropy",
                             .logits = logits.value().contiguous(),
                             .teacher = {},
                             .labels = labels.contiguous(),
                             .vocabulary = 0,
                             .ignore_index = ignore_index,
                             .temperature = 1,
                             .ce_scale = count > 0 ? 1.0 / static_cast<double>(count) : 0,
                             .kl_scale = 0})
      .first;
}

DistillationLoss distillation_loss(const Variable& student, const Tensor& teacher,
                                   const Tensor& labels, const DistillationOptions& options) {
  const std::int64_t count =
      count_labels("distillation_loss", student.value(), labels, options.ignore_index);
  const std::int64_t V = student.size(1), N = student.size(0);
  const std::int64_t width = teacher.dim() == 2 ? teacher.size(1) : 0;
  const std::int64_t vocabulary = options.vocabulary != 0 ? options.vocabulary : V;
  if (teacher.dim() != 2 || teacher.size(0) != N || vocabulary > std::min(V, width) ||
      vocabulary < 0 || (options.vocabulary == 0 && V != width)) {
    throw ShapeError(fmt::format("distillation_loss: student {} and teacher {} over {} entries",
                                 student.value().describe(), teacher.describe(), vocabulary));
  }
  if (!(options.temperature > 0)) {
    throw ConfigError(
        fmt::format("distillation_loss: temperature {} is not positive", options.temperature));
  }
  const double counted = static_cast<double>(
      std::max<std::int64_t>(1, options.reduction == LossReduction::mean ? N : options.sequences));
  auto [loss, sums] = fused_loss(
      student, {.op = "distillation_loss",
                .logits = student.value().contiguous(),
                .teacher = teacher.to(student.dtype()).contiguous(),
                .labels = labels.contiguous(),
                .vocabulary = vocabulary,
                .ignore_index = options.ignore_index,
                .temperature = options.temperature,
                .ce_scale = count > 0 ? (1 - options.alpha) / static_cast<double>(count) : 0,
                .kl_scale = options.alpha / counted});
  return {std::move(loss), sums.kl / counted, count > 0 ? sums.ce / static_cast<double>(count) : 0};
}

}  // namespace gladius
