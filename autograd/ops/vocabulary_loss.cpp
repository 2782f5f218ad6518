#include "gladius/autograd/ops/vocabulary_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/kernels/distillation_loss.h"
#include "gladius/tensor/kernels/divergence_loss.h"
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

namespace {

void check_options(const char* op, const DistillationOptions& options) {
  if (!(options.temperature > 0)) {
    throw ConfigError(fmt::format("{}: temperature {} is not positive", op, options.temperature));
  }
  if (options.reduction != LossReduction::mean && options.reduction != LossReduction::batchmean) {
    throw ConfigError(fmt::format("{}: reduction {}; expected mean or batchmean", op,
                                  options.reduction == LossReduction::sum ? "sum" : "none"));
  }
  const bool has_beta =
      options.divergence == Divergence::jsd || options.divergence == Divergence::skew_kl;
  if (has_beta && !(options.beta > 0 && options.beta < 1)) {
    throw ConfigError(fmt::format("{}: beta {} is not between 0 and 1", op, options.beta));
  }
}

Tensor fitting_mask(const char* op, const Tensor& compared, std::int64_t N) {
  if (!compared.defined()) return compared;
  if (compared.shape() != Shape{N}) {
    throw ShapeError(fmt::format("{}: compared {} is not of {} rows", op, compared.describe(), N));
  }
  if (compared.dtype() != Dtype::BOOL) {
    throw DtypeError(fmt::format("{}: compared {} is not BOOL", op, compared.describe()));
  }
  return compared.contiguous();
}

std::int64_t count_compared(const Task& task, const Tensor& labels, const Tensor& mask) {
  const Rows rows{.logits = {}, .teacher = {}, .labels = labels, .compared = mask};
  std::int64_t count = 0;
  for (std::int64_t row = 0; row < labels.numel(); ++row) count += rows.is_compared(task, row);
  return count;
}

double divisor(std::int64_t whole, std::int64_t own) {
  return static_cast<double>(std::max<std::int64_t>(1, whole != 0 ? whole : own));
}

}  // namespace

Distillation distillation(const char* op, std::int64_t V, const Tensor& labels,
                          const DistillationOptions& options) {
  const std::int64_t labelled = count_labels(op, V, labels, options.ignore_index);
  check_options(op, options);
  const Tensor mask = fitting_mask(op, options.compared, labels.numel());
  const Task task{.op = op,
                  .ignore_index = options.ignore_index,
                  .vocabulary = options.vocabulary != 0 ? options.vocabulary : V,
                  .temperature = options.temperature,
                  .divergence = options.divergence,
                  .beta = options.beta,
                  .labelled_only = options.labelled_only};
  const std::int64_t rows = options.rows != 0 ? options.rows : count_compared(task, labels, mask);
  const std::int64_t counted = options.reduction == LossReduction::mean ? rows : options.sequences;
  Distillation result{.task = task,
                      .counted = divisor(0, counted),
                      .labelled = divisor(0, labelled),
                      .compared = mask};
  result.task.ce_scale = (1 - options.alpha) / divisor(options.divisors.cross_entropy, labelled);
  result.task.kl_scale = options.alpha / divisor(options.divisors.divergence, counted);
  return result;
}

void require_forward_kl(const char* op, const DistillationOptions& options) {
  if (options.divergence == Divergence::forward_kl) return;
  throw ConfigError(fmt::format(
      "{}: takes the place of the divergence, of which only forward_kl can be given", op));
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

namespace {

// The rows [begin, end), with their teacher or without.
template <class T>
void run_rows(const Task& task, const Rows& rows, bool compared, const Tensor& gradient,
              Terms& terms, std::int64_t begin, std::int64_t end) {
  const std::int64_t V = rows.logits.size(1), width = compared ? rows.teacher.size(1) : 0;
  const T* const logits = rows.logits.data<T>() + begin * V;
  const T* const teacher = width > 0 ? rows.teacher.data<T>() + begin * width : nullptr;
  const std::int64_t* const labels = rows.labels.data<std::int64_t>() + begin;
  T* const grad = gradient.defined() ? gradient.data<T>() + begin * V : nullptr;
  double *const ce = terms.ce.data() + begin, *const kl = terms.kl.data() + begin;
  if (teacher && task.vocabulary > 0 && task.divergence != Divergence::forward_kl) {
    kernels::divergence_loss<T>({task.divergence, task.beta, V, width, task.vocabulary,
                                 task.ignore_index, task.temperature, task.ce_scale, task.kl_scale},
                                logits, teacher, labels, grad, ce, kl, end - begin);
    return;
  }
  kernels::distillation_loss<T>(logits, teacher, labels, grad, ce, kl, end - begin, V, width,
                                task.vocabulary, task.ignore_index, task.temperature, task.ce_scale,
                                task.kl_scale);
}

// Calls body(begin, end, compared) for stretches of rows that are compared with the teacher, and
// of others.
template <class Body>
void each_stretch(const Task& task, const Rows& rows, std::int64_t begin, std::int64_t end,
                  const Body& body) {
  const bool has_teacher = rows.teacher.defined();
  const auto compared = [&](std::int64_t row) {
    return has_teacher && rows.is_compared(task, row);
  };
  while (begin < end) {
    std::int64_t next = begin + 1;
    while (next < end && compared(next) == compared(begin)) ++next;
    body(begin, next, compared(begin));
    begin = next;
  }
}

}  // namespace

Terms run(const Task& task, const Rows& rows, const Tensor& gradient) {
  const auto N = static_cast<std::size_t>(rows.logits.size(0));
  Terms terms{.ce = std::vector<double>(N), .kl = std::vector<double>(N)};
  dispatch_floating(task.op, rows.logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(rows.logits.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
      each_stretch(task, rows, begin, end,
                   [&](std::int64_t first, std::int64_t last, bool compared) {
                     run_rows<T>(task, rows, compared, gradient, terms, first, last);
                   });
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
