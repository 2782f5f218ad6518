#include "gladius/autograd/ops/vocabulary_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/kernels/distillation_loss.h"
#include "gladius/tensor/parallel.h"

namespace gladius::vocabulary_loss {

double total(const std::vector<double>& terms) {
  return std::accumulate(terms.begin(), terms.end(), 0.0);
}

Tensor fitting_labels(const char* op, const Tensor& labels) {
  return as_indices(op, "labels", labels).contiguous();
}

std::int64_t count_labels(const char* op, std::int64_t V, const Tensor& labels,
                          std::int64_t ignore_index) {
  std::int64_t count = 0;
  for (std::int64_t row = 0; const std::int64_t label : labels.to_vector<std::int64_t>()) {
    if (label != ignore_index && (label < 0 || label >= V)) {
      throw ShapeError(fmt::format("{}: label {} at row {} is not in [0, {}) nor {}", op, label,
                                   row, V, ignore_index));
    }
    count += label != ignore_index;
    ++row;
  }
  return count;
}

Distillation distillation(const char* op, std::int64_t V, const Tensor& labels,
                          const DistillationOptions& options) {
  const std::int64_t labelled = count_labels(op, V, labels, options.ignore_index);
  if (!(options.temperature > 0)) {
    throw ConfigError(fmt::format("{}: temperature {} is not positive", op, options.temperature));
  }
  if (options.reduction != LossReduction::mean && options.reduction != LossReduction::batchmean) {
    throw ConfigError(fmt::format("{}: reduction {}; expected mean or batchmean", op,
                                  options.reduction == LossReduction::sum ? "sum" : "none"));
  }
  const std::int64_t rows = options.rows != 0 ? options.rows : labels.numel();
  const std::int64_t counted = options.reduction == LossReduction::mean ? rows : options.sequences;
  Distillation result{.task = {.op = op,
                               .ignore_index = options.ignore_index,
                               .vocabulary = options.vocabulary != 0 ? options.vocabulary : V,
                               .temperature = options.temperature},
                      .counted = static_cast<double>(std::max<std::int64_t>(1, counted)),
                      .labelled = static_cast<double>(std::max<std::int64_t>(1, labelled))};
  result.task.ce_scale = (1 - options.alpha) / result.labelled;
  result.task.kl_scale = options.alpha / result.counted;
  return result;
}

Tensor fitting_teacher(const Task& task, const Tensor& student, const Tensor& teacher,
                       bool same_width) {
  const std::int64_t V = student.size(1), width = teacher.dim() == 2 ? teacher.size(1) : 0;
  if (teacher.dim() != 2 || teacher.size(0) != student.size(0) || task.vocabulary < 0 ||
      task.vocabulary > std::min(V, width) || (same_width && V != width)) {
    throw ShapeError(fmt::format("{}: student {} and teacher {} over {} entries", task.op,
                                 student.describe(), teacher.describe(), task.vocabulary));
  }
  return teacher.to(student.dtype()).contiguous();
}

Terms run(const Task& task, const Rows& rows, const Tensor& gradient) {
  const std::int64_t N = rows.logits.size(0), V = rows.logits.size(1);
  Terms terms;
  terms.ce.resize(static_cast<std::size_t>(N));
  terms.kl.resize(static_cast<std::size_t>(N));
  const std::int64_t width = rows.teacher.defined() ? rows.teacher.size(1) : 0;
  dispatch_floating(task.op, rows.logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(N, 1, [&](std::int64_t begin, std::int64_t end) {
      kernels::distillation_loss<T>(rows.logits.data<T>() + begin * V,
                                    width > 0 ? rows.teacher.data<T>() + begin * width : nullptr,
                                    rows.labels.data<std::int64_t>() + begin,
                                    gradient.defined() ? gradient.data<T>() + begin * V : nullptr,
                                    terms.ce.data() + begin, terms.kl.data() + begin, end - begin,
                                    V, width, task.vocabulary, task.ignore_index, task.temperature,
                                    task.ce_scale, task.kl_scale);
    });
  });
  return terms;
}

Variable weighted(Tensor& gradient, const Tensor& g, const BackwardContext& context) {
  if (g.dim() == 1) return Variable(mul(gradient, g.unsqueeze(1)));
  const double seed = g.item();
  if (!context.frees_saved()) return Variable(mul(gradient, seed));
  if (seed != 1) mul_(gradient, seed);
  return Variable(std::move(gradient));
}

void throw_differentiable_once(const char* op) {
  throw GraphError(
      fmt::format("backward of {}: it does not keep the logits that a second derivative needs; "
                  "compose it of log_softmax, kl_div and cross_entropy",
                  op));
}

}  // namespace gladius::vocabulary_loss
