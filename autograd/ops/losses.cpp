// The losses of losses.h over the vocabulary.
#include "gladius/autograd/ops/losses.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/autograd/ops/vocabulary_loss.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/indexing.h"

namespace gladius {
namespace {

using namespace vocabulary_loss;

// Of the rows that count; a batch is not told apart from them.
void check_reduction(const char* op, LossReduction reduction) {
  if (reduction != LossReduction::batchmean) return;
  throw ConfigError(fmt::format("{}: reduction batchmean; expected none, mean or sum", op));
}

void check_logits(const char* op, const Variable& logits, const Tensor& labels) {
  if (logits.dim() != 2 || labels.shape() != Shape{logits.size(0)}) {
    throw ShapeError(fmt::format("{}: logits {} and labels {}; expected [N, V] and [N]", op,
                                 logits.value().describe(), labels.describe()));
  }
}

// Forward and gradient go in one: this is where the gradient is put before backward asks for it.
Tensor place_for_gradient(const Variable& logits) {
  if (!grad_enabled() || !logits.requires_grad()) return {};
  return Tensor::empty(logits.shape(), logits.dtype());
}

// Where each row's label is: BOOL and I64 [N], `index` 0 in the rows without one.
struct Labelled {
  Labelled(const Tensor& labels, std::int64_t ignore_index)
      : ignored(eq(labels, Tensor::from(std::vector{ignore_index}, {}))),
        index(where(ignored, Tensor::zeros({}, Dtype::I64), labels)) {}
  Tensor ignored, index;
};

// [N, V] with 1 at the labels; rows without one are 0.
Tensor one_hot(const Tensor& labels, std::int64_t ignore_index, const Tensor& like) {
  const auto [ignored, index] = Labelled(labels, ignore_index);
  Tensor hot = Tensor::zeros(like.shape(), like.dtype());
  scatter_add_(hot, 1, index.unsqueeze(1), add(neg(ignored.to(like.dtype())), 1.0).unsqueeze(1));
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
  Task task{.op = "cross_entropy", .ignore_index = ignore_index};
  check_logits(task.op, logits, labels);
  const Tensor targets = fitting_labels(task.op, labels);
  const std::int64_t count = count_labels(task.op, logits.size(1), targets, ignore_index);
  check_reduction(task.op, reduction);
  if (reduction == LossReduction::mean) {
    task.ce_scale = 1 / static_cast<double>(std::max<std::int64_t>(1, count));
  }
  const Rows rows{logits.value().contiguous(), {}, targets};
  Tensor gradient = place_for_gradient(logits);
  const Terms terms = run(task, rows, gradient);
  Tensor value = reduction == LossReduction::none
                     ? Tensor::from(terms.ce, labels.shape()).to(logits.dtype())
                     : Tensor::scalar(total(terms, task), logits.dtype());
  return record(
      task.op, std::move(value), {logits},
      [gradient, ignore_index, targets, scale = task.ce_scale](
          const Variable& g, const BackwardContext& context) mutable {
        if (!grad_enabled()) return std::vector{weighted(gradient, g.value(), context)};
        return std::vector{recorded_gradient(gradient, targets, ignore_index, scale, context) *
                           (g.dim() == 1 ? unsqueeze(g, 1) : g)};
      });
}

Variable nll_loss(const Variable& log_probabilities, const Tensor& labels,
                  std::int64_t ignore_index, LossReduction reduction) {
  constexpr const char* kName = "nll_loss";
  check_logits(kName, log_probabilities, labels);
  check_reduction(kName, reduction);
  const Tensor targets = fitting_labels(kName, labels);
  const std::int64_t count = count_labels(kName, log_probabilities.size(1), targets, ignore_index);
  const auto [ignored, index] = Labelled(targets, ignore_index);
  const Variable picked = squeeze(gather(log_probabilities, 1, index.unsqueeze(1)), 1);
  const Variable zero(Tensor::zeros({}, picked.dtype()));
  const Variable terms = where(ignored, zero, neg(picked));
  if (reduction == LossReduction::none) return terms;
  if (reduction == LossReduction::sum) return sum(terms);
  return sum(terms) * (1 / static_cast<double>(std::max<std::int64_t>(1, count)));
}

DistillationLoss distillation_loss(const Variable& student, const Tensor& teacher,
                                   const Tensor& labels, const DistillationOptions& options) {
  constexpr const char* kName = "distillation_loss";
  check_logits(kName, student, labels);
  const Tensor targets = fitting_labels(kName, labels);
  const auto [task, counted, labelled, compared] =
      distillation(kName, student.size(1), targets, options);
  const Rows rows{student.value().contiguous(),
                  fitting_teacher(task, student.value(), teacher, options.vocabulary == 0), targets,
                  compared};
  Tensor gradient = place_for_gradient(student);
  const Terms terms = run(task, rows, gradient);
  Variable loss = record(kName, Tensor::scalar(total(terms, task), student.dtype()), {student},
                         [gradient](const Variable& g, const BackwardContext& context) mutable {
                           if (grad_enabled()) throw_differentiable_once(kName);
                           return std::vector{weighted(gradient, g.value(), context)};
                         });
  return {std::move(loss), total(terms.kl) / counted, total(terms.ce) / labelled};
}

}  // namespace gladius
