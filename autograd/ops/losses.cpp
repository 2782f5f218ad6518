// The losses of losses.h over the vocabulary.
#include "gladius/autograd/ops/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/indexing.h"
#include "gladius/tensor/kernels/distillation_loss.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

// Rows with a label; checks all labels.
std::int64_t count_labels(const char* op, const Tensor& logits, const Tensor& labels,
                          std::int64_t ignore_index) {
  if (labels.dtype() != Dtype::I64) {
    throw DtypeError(fmt::format("{}: labels {} are not I64", op, labels.describe()));
  }
  if (logits.dim() != 2 || labels.shape() != Shape{logits.size(0)}) {
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

// Terms of the rows, before they are weighted.
struct Terms {
  std::vector<double> ce, kl;
};

// Runs the kernel over all rows; writes the gradient if there is a place for it.
Terms run(const Task& task, const Tensor& gradient) {
  const std::int64_t N = task.logits.size(0), V = task.logits.size(1);
  Terms terms;
  terms.ce.resize(static_cast<std::size_t>(N));
  terms.kl.resize(static_cast<std::size_t>(N));
  const std::int64_t width = task.teacher.defined() ? task.teacher.size(1) : 0;
  dispatch_floating(task.op, task.logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(N, 1, [&](std::int64_t begin, std::int64_t end) {
      kernels::distillation_loss<T>(task.logits.data<T>() + begin * V,
                                    width > 0 ? task.teacher.data<T>() + begin * width : nullptr,
                                    task.labels.data<std::int64_t>() + begin,
                                    gradient.defined() ? gradient.data<T>() + begin * V : nullptr,
                                    terms.ce.data() + begin, terms.kl.data() + begin, end - begin,
                                    V, width, task.vocabulary, task.ignore_index, task.temperature,
                                    task.ce_scale, task.kl_scale);
    });
  });
  return terms;
}

// In the order of the rows.
double total(const std::vector<double>& terms) {
  return std::accumulate(terms.begin(), terms.end(), 0.0);
}

// Forward and gradient go in one: this is where the gradient is put before backward asks for it.
Tensor place_for_gradient(const Variable& logits) {
  if (!grad_enabled() || !logits.requires_grad()) return {};
  return Tensor::empty(logits.shape(), logits.dtype());
}

// The gradient times that of the loss, a number or one for each row; in place if this is its last
// use.
Variable weighted(Tensor& gradient, const Tensor& g, const BackwardContext& context) {
  if (g.dim() == 1) return Variable(mul(gradient, g.unsqueeze(1)));
  const double seed = g.item();
  if (!context.frees_saved()) return Variable(mul(gradient, seed));
  if (seed != 1) mul_(gradient, seed);
  return Variable(std::move(gradient));
}

// [N, V] with 1 at the labels; rows without one are 0.
Tensor one_hot(const Tensor& labels, std::int64_t ignore_index, const Tensor& like) {
  const Tensor ignored =
      eq(labels, Tensor::full({}, static_cast<double>(ignore_index), Dtype::I64));
  const Tensor index = where(ignored, Tensor::zeros({}, Dtype::I64), labels).unsqueeze(1);
  Tensor hot = Tensor::zeros(like.shape(), like.dtype());
  scatter_add_(hot, 1, index, add(neg(ignored.to(like.dtype())), 1.0).unsqueeze(1));
  return hot;
}

// The gradient scale * (softmax - one_hot) of the cross-entropy as a function of the logits at
// input 0 of the loss. They are not kept, but their softmax p follows from the gradient, and the
// derivative from that: scale * p * (h - sum(p * h)).
Variable recorded_gradient(const Tensor& gradient, const Tensor& labels, std::int64_t ignore_index,
                           double scale, const BackwardContext& context) {
  // A copy, as the gradient may be changed in place later; record asks no more of an input than
  // its node.
  Tensor value = gradient.clone();
  const Variable logits(value, context.node()->inputs()[0]);
  const SavedVariable saved = SavedVariable::output(value);
  return record("cross_entropy_backward", std::move(value), {logits},
                [=](const Variable& h, const BackwardContext& inner) {
                  const Variable own = saved.unpack(inner);
                  const Variable p =
                      own * (1 / scale) + Variable(one_hot(labels, ignore_index, own.value()));
                  return std::vector{p * (h - sum(p * h, {-1}, true)) * scale};
                });
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Tensor& labels, std::int64_t ignore_index,
                       LossReduction reduction) {
  const std::int64_t count = count_labels("cross_entropy", logits.value(), labels, ignore_index);
  if (reduction == LossReduction::batchmean) {
    throw ConfigError("cross_entropy: reduction batchmean; expected none, mean or sum");
  }
  const double terms_per_value =
      reduction == LossReduction::mean ? static_cast<double>(std::max<std::int64_t>(1, count)) : 1;
  const Task task{.op = "cross_entropy",
                  .logits = logits.value().contiguous(),
                  .teacher = {},
                  .labels = labels.contiguous(),
                  .vocabulary = 0,
                  .ignore_index = ignore_index,
                  .temperature = 1,
                  .ce_scale = 1 / terms_per_value,
                  .kl_scale = 0};
  Tensor gradient = place_for_gradient(logits);
  const std::vector<double> terms = run(task, gradient).ce;
  Tensor value = reduction == LossReduction::none
                     ? Tensor::from(terms, labels.shape()).to(logits.dtype())
                     : Tensor::scalar(total(terms) * task.ce_scale, logits.dtype());
  return record(
      task.op, std::move(value), {logits},
      [gradient, ignore_index, labels = task.labels, scale = task.ce_scale](
          const Variable& g, const BackwardContext& context) mutable {
        if (!grad_enabled()) return std::vector{weighted(gradient, g.value(), context)};
        return std::vector{recorded_gradient(gradient, labels, ignore_index, scale, context) *
                           (g.dim() == 1 ? unsqueeze(g, 1) : g)};
      });
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
  if (options.reduction != LossReduction::mean && options.reduction != LossReduction::batchmean) {
    throw ConfigError(fmt::format("distillation_loss: reduction {}; expected mean or batchmean",
                                  options.reduction == LossReduction::sum ? "sum" : "none"));
  }
  const double counted = static_cast<double>(
      std::max<std::int64_t>(1, options.reduction == LossReduction::mean ? N : options.sequences));
  const double labelled = static_cast<double>(std::max<std::int64_t>(1, count));
  const Task task{.op = "distillation_loss",
                  .logits = student.value().contiguous(),
                  .teacher = teacher.to(student.dtype()).contiguous(),
                  .labels = labels.contiguous(),
                  .vocabulary = vocabulary,
                  .ignore_index = options.ignore_index,
                  .temperature = options.temperature,
                  .ce_scale = (1 - options.alpha) / labelled,
                  .kl_scale = options.alpha / counted};
  Tensor gradient = place_for_gradient(student);
  const Terms terms = run(task, gradient);
  const double ce = total(terms.ce), kl = total(terms.kl);
  Variable loss = record(
      task.op, Tensor::scalar(ce * task.ce_scale + kl * task.kl_scale, student.dtype()), {student},
      [gradient](const Variable& g, const BackwardContext& context) mutable {
        if (grad_enabled()) {
          throw GraphError(
              "backward of distillation_loss: it does not keep the logits that a second derivative "
              "needs; compose it of log_softmax, kl_div and cross_entropy");
        }
        return std::vector{weighted(gradient, g.value(), context)};
      });
  return {std::move(loss), kl / counted, ce / labelled};
}

}  // namespace gladius
