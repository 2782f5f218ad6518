// Losses. Those over the vocabulary are fused: one [N, V] buffer beside the logits, which becomes
// the gradient.
//
// Every target is a Tensor, as it has no gradient: class labels are I64 or I32; numbers have the
// input's type. Where a target can have a gradient (mse_loss, kl_div) it may be a Variable too.
#pragma once

#include "gladius/autograd/variable.h"
#include "gladius/tensor/kernels/divergence_loss.h"

namespace gladius {

/// How the terms of a loss become its value, by PyTorch's names.
enum class LossReduction {
  none,       // each stays as it is
  mean,       // the sum by the number of terms that count
  sum,        // all added up
  batchmean,  // the sum by the size of the batch
};

/// (input - target)^2 for two of one shape (ShapeError; nothing is broadcast) and type
/// (DtypeError); `mean` is over the elements. ConfigError for `batchmean`. Differentiable any
/// number of times.
Variable mse_loss(const Variable& input, const Variable& target,
                  LossReduction reduction = LossReduction::mean);
inline Variable mse_loss(const Variable& input, const Tensor& target,
                         LossReduction reduction = LossReduction::mean) {
  return mse_loss(input, Variable(target), reduction);
}

/// The terms of the Kullback-Leibler divergence KL(target || input) as torch.nn.functional.kl_div
/// has them: target * (log(target) - log_input), -target * log_input + 0 where the target is 0; of
/// `log_target`, exp(target) * (target - log_input). Note that `mean` is over the elements;
/// `batchmean`, the sum by the size of the first dimension, is the divergence. Shapes and types as
/// for mse_loss. Differentiable any number of times; where the target is 0, log(target) counts as 0
/// in its gradient.
Variable kl_div(const Variable& log_input, const Variable& target,
                LossReduction reduction = LossReduction::mean, bool log_target = false);
inline Variable kl_div(const Variable& log_input, const Tensor& target,
                       LossReduction reduction = LossReduction::mean, bool log_target = false) {
  return kl_div(log_input, Variable(target), reduction, log_target);
}

/// logsumexp(logits) - logits[label] for the rows of logits [N, V] whose label ([N]) is not
/// `ignore_index`; `mean` is over these and 0 if there are none, `none` gives [N] with 0 in the
/// other rows. ShapeError for another label outside of [0, V), DtypeError for labels of another
/// type, ConfigError for `batchmean`. Fused; differentiable any number of times.
Variable cross_entropy(const Variable& logits, const Tensor& labels,
                       std::int64_t ignore_index = -100,
                       LossReduction reduction = LossReduction::mean);

/// cross_entropy of logits whose log_softmax is known: -log_probabilities[label], with the
/// rows, reductions and errors of cross_entropy. (That one is faster, being fused.) Differentiable
/// any number of times.
Variable nll_loss(const Variable& log_probabilities, const Tensor& labels,
                  std::int64_t ignore_index = -100, LossReduction reduction = LossReduction::mean);

/// What the sums of a loss are divided by where it is a part of a larger one, such as the
/// micro-batch of an update: the terms of the whole. 0: its own.
struct LossDivisors {
  std::int64_t cross_entropy = 0;
  std::int64_t divergence = 0;
};

struct DistillationOptions {
  double temperature = 2;
  double alpha = 0.5;  // weight of the divergence; the cross-entropy has 1 - alpha
  Divergence divergence = Divergence::forward_kl;
  double beta = 0.5;           // of jsd and skew_kl
  bool labelled_only = false;  // the divergence counts the rows with a label alone
  Tensor compared = {};        // BOOL [N], those of the rows that it counts; undefined: all
  /// Of the divergence: `mean` over the tokens, or `batchmean`, the sum by the number of sequences;
  /// cross-entropy is always a mean.
  LossReduction reduction = LossReduction::mean;
  std::int64_t sequences = 1;  // for batchmean
  std::int64_t rows = 0;       // for mean: how many the divergence counts; 0: as these two say
  LossDivisors divisors = {};  // of `loss` alone
  std::int64_t vocabulary =
      0;  // first entries that both compare; 0: all, and the widths must agree
  std::int64_t ignore_index = -100;
};

struct DistillationLoss {
  Variable loss;  // alpha * kl + (1 - alpha) * ce
  double kl;      // the divergence of the softened distributions, reduced, times temperature^2
  double ce;      // as cross_entropy
};

/// The objective of knowledge distillation (Hinton et al. 2015, arXiv:1503.02531) for student
/// logits [N, V] and teacher logits [N, V'], the rows of `sequences` sequences, with KL(teacher ||
/// student) or another divergence (divergence_loss.h has the mathematics). The divergence counts
/// every row, the cross-entropy those with a label. Over the first `vocabulary` entries each
/// distribution is renormalised. ShapeError for what does not fit, ConfigError for other
/// reductions, temperatures and beta. Differentiable once: its logits are not kept (GraphError; a
/// composition of log_softmax, kl_div and cross_entropy is differentiable any number of times).
DistillationLoss distillation_loss(const Variable& student, const Tensor& teacher,
                                   const Tensor& labels, const DistillationOptions& options = {});

}  // namespace gladius
