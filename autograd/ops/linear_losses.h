// Losses over the vocabulary of a linear layer's output: the layer and the loss in one, so that the
// logits, the largest thing in memory, never exist as a whole (as in Wijmans et al. 2024, "Cut
// Your Losses in Large-Vocabulary Language Models", arXiv:2411.09009, and Hsu et al. 2024, "Liger
// Kernel", arXiv:2410.10989).
//
// They run over blocks of rows. The gradient of a block's logits takes their place. Of a single
// block it is kept for the backward pass; of several, the gradients of x and of the weight are made
// at once, and the backward pass only scales them.
#pragma once

#include <functional>

#include "gladius/autograd/ops/losses.h"

namespace gladius {

/// Rows of a block, at most: enough for products at full speed.
inline constexpr std::int64_t kLinearLossRows = 512;

/// cross_entropy(linear(x, weight), labels, ignore_index) for x [N, C], weight [V, C] and labels
/// [N]; with a `divisor` (not 0) the sum by that in place of the number of labels. A frozen weight
/// may be BF16 or F16. ShapeError, DtypeError as those two. Differentiable any number of times; a
/// second derivative computes all logits again.
Variable linear_cross_entropy(const Variable& x, const Variable& weight, const Tensor& labels,
                              std::int64_t ignore_index = -100, std::int64_t divisor = 0);

/// Rows of a teacher's logits that are in memory at once: 39 MB for 151,936 entries.
inline constexpr std::int64_t kTeacherRows = 64;

/// Gives the rows [begin, end) of logits [N, V'].
using LogitRows = std::function<Tensor(std::int64_t begin, std::int64_t end)>;

/// Rows of logits in memory, of which there must be N (ShapeError).
LogitRows rows_of(Tensor logits, std::int64_t N);

/// Gives the targets of rows, as teacher logits [n, V'], for the student's logits [n, V], the first
/// row of which is `begin`: a teacher of another vocabulary answers in terms of the student's.
using TargetRows = std::function<Tensor(const Tensor& student, std::int64_t begin)>;

/// distillation_loss(linear(x, weight), teacher, labels, options). The teacher is asked for blocks
/// of rows, in order. Differentiable once (GraphError).
DistillationLoss linear_distillation_loss(const Variable& x, const Variable& weight,
                                          const LogitRows& teacher, const Tensor& labels,
                                          const DistillationOptions& options = {});
/// The same with targets, which have no gradient.
DistillationLoss linear_distillation_loss(const Variable& x, const Variable& weight,
                                          const TargetRows& targets, const Tensor& labels,
                                          const DistillationOptions& options = {});

}  // namespace gladius
