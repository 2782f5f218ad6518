// What the fused losses over a linear layer's output share: the blocks of rows, each of whose
// logits become their gradient (linear_losses.h says why).
#pragma once

#include <functional>
#include <vector>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/vocabulary_loss.h"

namespace gladius::linear_blocks {

/// The terms of a block of rows, the first of which is `begin`. Writes the gradient of the logits
/// where it is defined; it may be the logits themselves.
using BlockLoss = std::function<vocabulary_loss::Terms(const Tensor& logits, std::int64_t begin,
                                                       const Tensor& gradient)>;

/// Between the forward and the backward pass: the gradient of the logits, or those of what they are
/// made of.
struct Gradients {
  Tensor logits;
  Tensor x, weight;
};

struct Forward {
  vocabulary_loss::Terms terms;
  Gradients gradients;
};

/// x [N, C], weight [V, C], labels [N]. ShapeError.
void check(const char* op, const Variable& x, const Variable& weight, const Tensor& labels);

/// The ends of the blocks of N rows, of at most kLinearLossRows; at least one.
std::vector<std::int64_t> block_ends(std::int64_t N);

Forward forward(const Variable& x, const Variable& weight, const std::vector<std::int64_t>& ends,
                const BlockLoss& loss);

std::vector<Variable> backward(Gradients& gradients, const Tensor& seed, const SavedVariable& x,
                               const SavedVariable& weight, const BackwardContext& context);

/// The loss of a distillation that has gone forward. Differentiable once (GraphError).
DistillationLoss record_distillation(const Variable& x, const Variable& weight, Forward result,
                                     const vocabulary_loss::Distillation& settled);

}  // namespace gladius::linear_blocks
