// Losses over the vocabulary, fused: one [N, V] buffer beside the logits, which becomes the
// gradient.
#pragma once

#include "gladius/autograd/variable.h"

namespace gladius {

/// How losses of tokens become one number.
enum class LossReduction {
  mean,       // over the tokens
  batchmean,  // the sum over the tokens by the number of sequences (PyTorch's name for it)
};

/// Mean of logsumexp(logits) - logits[label] over the rows of logits [N, V] whose label (I64 [N])
/// is not `ignore_index`; 0 if there are none. ShapeError for another label outside of [0, V).
Variable cross_entropy(const Variable& logits, const Tensor& labels,
                       std::int64_t ignore_index = -100);

struct DistillationOptions {
  double temperature = 2;
  double alpha = 0.5;  // weight of the divergence; the cross-entropy has 1 - alpha
  LossReduction reduction =
      LossReduction::mean;     // of the divergence; cross-entropy is always a mean
  std::int64_t sequences = 1;  // for batchmean
  std::int64_t vocabulary =
      0;  // first entries that both compare; 0: all, and the widths must agree
  std::int64_t ignore_index = -100;
};

struct DistillationLoss {
  Variable loss;  // alpha * kl + (1 - alpha) * ce
  double kl;  // KL(teacher || student) of the softened distributions, reduced, times temperature^2
  double ce;  // as cross_entropy
};

/// The objective of knowledge distillation (Hinton et al. 2015, arXiv:1503.02531) for student
/// logits [N, V] and teacher logits [N, V'], the rows of `sequences` sequences. The divergence
/// counts every row, the cross-entropy those with a label. Over the first `vocabulary` entries each
/// distribution is renormalised.
DistillationLoss distillation_loss(const Variable& student, const Tensor& teacher,
                                   const Tensor& labels, const DistillationOptions& options = {});

}  // namespace gladius
