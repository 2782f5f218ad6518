// The loss of knowledge distillation over the vocabulary (Hinton et al. 2015, arXiv:1503.02531) and
// its gradient, fused: no probabilities are stored.
#pragma once

#include <cstdint>

namespace gladius::kernels {

/// For each row r, with s = student[r] (V logits), t = teacher[r], T = temperature:
///   ce[r] = logsumexp(s) - s[labels[r]]; 0 where labels[r] is ignore_index
///   kl[r] = T^2 sum_{v<K} p_t (log p_t - log p_s), p = softmax(x[:K] / T)  (KL(teacher ||
///   student))
/// and, if grad is not null,
///   grad[r] = ce_scale * dce[r]/ds + kl_scale * dkl[r]/ds
///           = ce_scale * (softmax(s) - onehot(label)) + kl_scale * T * (p_s - p_t).
/// student, grad: [rows, V], contiguous; grad may be student (in place). teacher: rows of at least
/// K entries, teacher_stride apart; null for no kl term (kl[r] = 0). labels: [rows], each in [0, V)
/// or ignore_index. ce, kl: [rows]. K <= V. Scalar: float or double.
///
/// Entries of -infinity have probability 0 and contribute 0 where it is the teacher's. Sums run
/// over short blocks in Scalar and over the blocks in double.
///
/// Cost of an element, for T = 1, 2 or 4: the exponentials of the teacher once, or twice with
/// grad, and of the student once (exp(x) is a power of exp(x / T), and grad keeps it between the
/// passes): 2 exps, 3 with grad; other temperatures: 3 and 6. Without a teacher: 1. From memory,
/// for rows that fit in the cache: student and teacher are read once and grad is written once.
template <class Scalar>
void distillation_loss(const Scalar* student, const Scalar* teacher, const std::int64_t* labels,
                       Scalar* grad, double* ce, double* kl, std::int64_t rows, std::int64_t V,
                       std::int64_t teacher_stride, std::int64_t K, std::int64_t ignore_index,
                       double temperature, double ce_scale, double kl_scale);

}  // namespace gladius::kernels
