// The universal logit distillation loss (Boizard et al. 2024, arXiv:2402.12030): two distributions
// over unrelated vocabularies are compared by their sorted probabilities, the largest with the
// largest and so on, as by the Wasserstein distance of a cost that knows no tokens:
//   the sum over ranks of |p_student - p_teacher|, the shorter one padded with zeros
#pragma once

#include <span>

#include "gladius/autograd/ops/linear_losses.h"

namespace gladius {

/// alpha * T^2 * ULD + (1 - alpha) * CE for the student's logits linear(x, weight) [N, V] and the
/// labels of the cross-entropy, as linear_distillation_loss; `kl` is T^2 * ULD. Row i is compared
/// with the teacher's row `teacher_rows`[i] (of any number of entries), or not at all where that is
/// negative. Probabilities are softmax(logits / T). Reduction: `mean` is over the rows that are
/// compared, `batchmean` their sum by `sequences`; `rows`, `vocabulary`, `labelled_only` and
/// `compared` have no meaning here. The gradient takes the order of the student's entries as given;
/// equal ones keep theirs.
///
/// The teacher is asked for blocks of at most 64 rows. ShapeError for what does not fit,
/// ConfigError as distillation_loss and for another divergence. Differentiable once (GraphError).
DistillationLoss linear_uld_loss(const Variable& x, const Variable& weight,
                                 const LogitRows& teacher,
                                 std::span<const std::int64_t> teacher_rows, const Tensor& labels,
                                 const DistillationOptions& options = {});

}  // namespace gladius
