#include "gladius/autograd/ops/linear_losses.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/autograd/ops/vocabulary_loss.h"
#include "gladius/autograd/ops/weight_gradient.h"
#include "gladius/tensor/weight.h"

namespace gladius {
namespace {

using namespace vocabulary_loss;

void check(const char* op, const Variable& x, const Variable& weight, const Tensor& labels) {
  if (x.dim() == 2 && weight.dim() == 2 && labels.shape() == Shape{x.size(0)}) return;
  throw ShapeError(
      fmt::format("{}: input {}, weight {} and labels {}; expected [N, C], [V, C] and [N]", op,
                  x.value().describe(), weight.value().describe(), labels.describe()));
}

// Between the forward and the backward pass: the gradient of the logits, or those of what they are
// made of.
struct Gradients {
  Tensor logits;
  Tensor x, weight;
};

// Adds the part of the rows [begin, end), whose logits have the gradient g.
void add_block(Gradients& gradients, const Tensor& g, const Tensor& x, const Weight& weight,
               std::int64_t begin, std::int64_t end) {
  if (gradients.x.defined()) {
    Tensor rows = gradients.x.narrow(0, begin, end - begin);
    weight.multiply_transposed_into(rows, g);
  }
  if (gradients.weight.defined()) {
    matmul_into(gradients.weight, g.transpose(0, 1), x.narrow(0, begin, end - begin),
                {.accumulate = begin > 0});
  }
}

struct LinearLossForward {
  Terms terms;
  Gradients gradients;
};

LinearLossForward forward(
    const Task& task, const Variable& x, const Variable& weight, const Tensor& labels,
    const std::function<Tensor(const Tensor& logits, std::int64_t begin)>& teacher) {
  const bool wanted = grad_enabled() && (x.requires_grad() || weight.requires_grad());
  const std::int64_t N = x.size(0);
  const std::int64_t blocks =
      std::max<std::int64_t>(1, (N + kLinearLossRows - 1) / kLinearLossRows);
  LinearLossForward result;
  Gradients& gradients = result.gradients;
  const Weight head(weight.value());
  if (wanted && blocks > 1) {
    if (x.requires_grad()) gradients.x = Tensor::empty(x.shape(), x.dtype());
    if (weight.requires_grad()) gradients.weight = Tensor::empty(weight.shape(), x.dtype());
  }
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t begin = N * block / blocks, end = N * (block + 1) / blocks;
    Tensor logits = head.multiply(x.value().narrow(0, begin, end - begin));
    const Rows rows{logits, teacher ? teacher(logits, begin) : Tensor(),
                    labels.narrow(0, begin, end - begin)};
    const Terms terms = run(task, rows, wanted ? logits : Tensor());
    result.terms.ce.insert(result.terms.ce.end(), terms.ce.begin(), terms.ce.end());
    result.terms.kl.insert(result.terms.kl.end(), terms.kl.begin(), terms.kl.end());
    if (wanted && blocks == 1) gradients.logits = std::move(logits);
    if (wanted && blocks > 1) add_block(gradients, logits, x.value(), head, begin, end);
  }
  return result;
}

std::vector<Variable> backward(Gradients& gradients, const Tensor& seed, const SavedVariable& x,
                               const SavedVariable& weight, const BackwardContext& context) {
  std::vector<Variable> grads(2);
  if (gradients.logits.defined()) {
    const Tensor g = weighted(gradients.logits, seed, context).value();
    if (context.needs(0)) {
      grads[0] = Variable(Weight(weight.tensor(context)).multiply_transposed(g));
    }
    if (context.needs(1)) grads[1] = weight_gradient(g, x.tensor(context), context);
    return grads;
  }
  if (context.needs(0)) grads[0] = weighted(gradients.x, seed, context);
  if (context.needs(1)) grads[1] = weighted(gradients.weight, seed, context);
  return grads;
}

// In operations on variables, with all logits.
std::vector<Variable> recorded_backward(const Variable& x, const Variable& weight,
                                        const Tensor& labels, std::int64_t ignore_index,
                                        const Variable& seed, const BackwardContext& context) {
  const Variable logits = linear(x, weight);
  const Variable g = grad({cross_entropy(logits, labels, ignore_index)}, {logits}, {seed},
                          /*retain_graph=*/true, /*create_graph=*/true)[0];
  const Variable w = weight.dtype() == x.dtype() ? weight : Variable(weight.value().to(x.dtype()));
  return {context.needs(0) ? matmul(g, w) : Variable(),
          context.needs(1) ? matmul(transpose(g, 0, 1), x) : Variable()};
}

}  // namespace

Variable linear_cross_entropy(const Variable& x, const Variable& weight, const Tensor& labels,
                              std::int64_t ignore_index) {
  Task task{.op = "linear_cross_entropy", .ignore_index = ignore_index};
  check(task.op, x, weight, labels);
  const Tensor targets = fitting_labels(task.op, labels);
  const std::int64_t count = count_labels(task.op, weight.size(0), targets, ignore_index);
  task.ce_scale = 1 / static_cast<double>(std::max<std::int64_t>(1, count));
  LinearLossForward result = forward(task, x, weight, targets, {});
  return record(
      task.op, Tensor::scalar(total(result.terms, task), x.dtype()), {x, weight},
      [=, gradients = std::move(result.gradients), u = SavedVariable(x), v = SavedVariable(weight)](
          const Variable& g, const BackwardContext& context) mutable {
        if (!grad_enabled()) return backward(gradients, g.value(), u, v, context);
        return recorded_backward(u.unpack(context), v.unpack(context), targets, ignore_index, g,
                                 context);
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
  LinearLossForward result =
      forward(task, x, weight, classes, [&](const Tensor& logits, std::int64_t begin) {
        return fitting_teacher(task, logits, targets(logits, begin), options.vocabulary == 0);
      });
  Variable loss = record(
      kName, Tensor::scalar(total(result.terms, task), x.dtype()), {x, weight},
      [gradients = std::move(result.gradients), u = SavedVariable(x), v = SavedVariable(weight)](
          const Variable& g, const BackwardContext& context) mutable {
        if (grad_enabled()) throw_differentiable_once(kName);
        return backward(gradients, g.value(), u, v, context);
      });
  return {std::move(loss), total(result.terms.kl) / settled.counted,
          total(result.terms.ce) / settled.labelled};
}

}  // namespace gladius
