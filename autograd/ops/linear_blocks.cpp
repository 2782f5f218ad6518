#include "gladius/autograd/ops/linear_blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "gladius/autograd/ops/linear_losses.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/weight_gradient.h"
#include "gladius/tensor/weight.h"

namespace gladius::linear_blocks {
namespace {

using namespace vocabulary_loss;

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

}  // namespace

void check(const char* op, const Variable& x, const Variable& weight, const Tensor& labels) {
  if (x.dim() == 2 && weight.dim() == 2 && labels.shape() == Shape{x.size(0)}) return;
  throw ShapeError(
      fmt::format("{}: input {}, weight {} and labels {}; expected [N, C], [V, C] and [N]", op,
                  x.value().describe(), weight.value().describe(), labels.describe()));
}

std::vector<std::int64_t> block_ends(std::int64_t N) {
  const std::int64_t blocks =
      std::max<std::int64_t>(1, (N + kLinearLossRows - 1) / kLinearLossRows);
  std::vector<std::int64_t> ends;
  for (std::int64_t block = 1; block <= blocks; ++block) ends.push_back(N * block / blocks);
  return ends;
}

Forward forward(const Variable& x, const Variable& weight, const std::vector<std::int64_t>& ends,
                const BlockLoss& loss) {
  const bool wanted = grad_enabled() && (x.requires_grad() || weight.requires_grad());
  const bool several = ends.size() > 1;
  Forward result;
  Gradients& gradients = result.gradients;
  const Weight head(weight.value());
  if (wanted && several) {
    if (x.requires_grad()) gradients.x = Tensor::empty(x.shape(), x.dtype());
    if (weight.requires_grad()) gradients.weight = Tensor::empty(weight.shape(), x.dtype());
  }
  for (std::int64_t begin = 0; const std::int64_t end : ends) {
    Tensor logits = head.multiply(x.value().narrow(0, begin, end - begin));
    const Terms terms = loss(logits, begin, wanted ? logits : Tensor());
    result.terms.ce.insert(result.terms.ce.end(), terms.ce.begin(), terms.ce.end());
    result.terms.kl.insert(result.terms.kl.end(), terms.kl.begin(), terms.kl.end());
    if (wanted && !several) gradients.logits = std::move(logits);
    if (wanted && several) add_block(gradients, logits, x.value(), head, begin, end);
    begin = end;
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
    if (context.needs(1)) grads[1] = weight_gradient(g, x.kept(context), context);
    return grads;
  }
  if (context.needs(0)) grads[0] = weighted(gradients.x, seed, context);
  if (context.needs(1)) grads[1] = weighted(gradients.weight, seed, context);
  return grads;
}

DistillationLoss record_distillation(const Variable& x, const Variable& weight, Forward result,
                                     const Distillation& settled) {
  const char* const op = settled.task.op;
  Variable loss = record(
      op, Tensor::scalar(total(result.terms, settled.task), x.dtype()), {x, weight},
      [op, gradients = std::move(result.gradients), u = SavedVariable(x, Keep::as_activation),
       v = SavedVariable(weight)](const Variable& g, const BackwardContext& context) mutable {
        if (grad_enabled()) throw_differentiable_once(op);
        return backward(gradients, g.value(), u, v, context);
      });
  return {std::move(loss), total(result.terms.kl) / settled.counted,
          total(result.terms.ce) / settled.labelled};
}

}  // namespace gladius::linear_blocks
