// Approximate likelihood matching (Minixhofer et al. 2025, arXiv:2503.20083): a student whose
// tokens are others than the teacher's learns how likely pieces of the text are, each of which
// begins and ends where both have a border.
//
// With aT and aS the logarithms of the likelihoods that the teacher and the student give a chunk,
// sums over its tokens divided by tau, the loss of the chunk is the cross-entropy of two events
// (the chunk comes, or it does not):
//   -[e^aT aS + (1 - e^aT) log(1 - e^aS)]
// It is least where both are equal, but 0 only where both are certain.
#pragma once

#include <vector>

#include "gladius/autograd/ops/losses.h"

namespace gladius {

/// Softens likelihoods, which of whole chunks are small (the paper's value).
inline constexpr double kAlmTau = 100;

/// Rows [begin, end), at least one, which predict the student's tokens of a chunk.
struct AlmChunk {
  std::int64_t begin, end;
  double teacher;  // the sum of log P over the teacher's tokens, at the loss's temperature
};

struct AlmTargets {
  Tensor tokens;                 // I64 [N]: what each row of a chunk is to predict
  std::vector<AlmChunk> chunks;  // in order, apart from each other
};

/// alpha * T^2 * ALM + (1 - alpha) * CE for the student's logits linear(x, weight) and the
/// labels of the cross-entropy, as linear_distillation_loss; `kl` is T^2 * ALM. The student's
/// probabilities are softmax(logits / T); the paper's are those of T = 1. Reduction: `mean` is over
/// the chunks, `batchmean` their sum by `sequences`; `rows`, `vocabulary`, `labelled_only` and
/// `compared` have no meaning here. Blocks of rows end where chunks do. ShapeError for what does
/// not fit, ConfigError as distillation_loss and for another divergence. Differentiable once
/// (GraphError).
DistillationLoss linear_alm_loss(const Variable& x, const Variable& weight,
                                 const AlmTargets& targets, const Tensor& labels,
                                 const DistillationOptions& options = {}, double tau = kAlmTau);

}  // namespace gladius
