// Divergences other than KL(teacher || student) (distillation_loss.h) in the loss of knowledge
// distillation, with their gradients, fused in the same way: no probabilities are stored.
#pragma once

#include <cstdint>

namespace gladius {

/// What a student's distribution q differs from a teacher's p by. beta is in (0, 1).
enum class Divergence {
  forward_kl,  // KL(p || q)
  reverse_kl,  // KL(q || p)
  jsd,         // the generalised Jensen-Shannon divergence (Agarwal et al. 2023, arXiv:2306.13649):
               // beta KL(p || m) + (1 - beta) KL(q || m) with m = beta p + (1 - beta) q
  skew_kl,     // KL(p || m) with this m (Ko et al. 2024, arXiv:2402.03898)
};

}  // namespace gladius

namespace gladius::kernels {

/// What divergence_loss computes of each row.
struct DivergenceLoss {
  Divergence divergence;  // not forward_kl, which distillation_loss computes
  double beta;            // of jsd and skew_kl
  std::int64_t V, teacher_stride, K, ignore_index;
  double temperature, ce_scale, kl_scale;
};

/// distillation_loss with another divergence D of the softened distributions over the first K
/// entries. For each row r, with s = student[r], t = teacher[r], T = temperature,
/// q = softmax(s[:K] / T) and p = softmax(t[:K] / T):
///   ce[r] = logsumexp(s) - s[labels[r]]; 0 where labels[r] is ignore_index
///   kl[r] = T^2 D
///     reverse_kl  D = sum_v q_v log(q_v / p_v)
///     jsd         D = sum_v beta p_v log(p_v / m_v) + (1 - beta) q_v log(q_v / m_v)
///     skew_kl     D = sum_v p_v log(p_v / m_v)           with m = beta p + (1 - beta) q
/// and, if grad is not null, with h_v the derivative of D by q_v (up to a constant):
///   grad[r] = ce_scale * (softmax(s) - onehot(label)) + kl_scale * T * q (h - sum_v q_v h_v)
///     reverse_kl  h = log(q / p)
///     jsd         h = (1 - beta) log(q / m)
///     skew_kl     h = -(1 - beta) p / m
///
/// Entries of -infinity have probability 0 and contribute 0. Where the teacher's is 0, reverse_kl,
/// which would be infinite, leaves the entry out: q is the student's distribution over the other
/// entries, renormalised, and the gradient of the divergence is 0 there. With jsd and skew_kl it
/// needs no rule: they are finite for any p and q. Logarithms are of log p - log q, which does not
/// underflow, so logits may be as large as their type allows.
///
/// The arrays are those of distillation_loss; the teacher is not null and 1 <= K <= V. Sums run
/// over short blocks in Scalar and over the blocks in double. Cost of an element: of reverse_kl 4
/// exponentials, 6 with grad; of jsd and skew_kl 6 and a logarithm, 10 and 2 with grad. From memory
/// as distillation_loss.
template <class Scalar>
void divergence_loss(const DivergenceLoss& loss, const Scalar* student, const Scalar* teacher,
                     const std::int64_t* labels, Scalar* grad, double* ce, double* kl,
                     std::int64_t rows);

}  // namespace gladius::kernels
