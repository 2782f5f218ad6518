// Attention by its definition, one pair of query and key after the other, and its gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <vector>

#include "gladius/tensor/kernels/attention.h"

namespace gladius::kernels {

inline double real(double x) { return x; }
inline double real(const std::complex<double>& x) { return x.real(); }

/// softmax(scale * q k^T) [B, H, T, S], zero where a query does not see a key, and lse [B, H, T]; Z
/// is double, or a complex number for complex steps. Strides are the shape's.
template <class Z>
struct Probabilities {
  const AttentionShape& shape;
  std::vector<Z> values, lse;
  double largest_logit = 0;

  Probabilities(const AttentionShape& s, const std::vector<Z>& q, const std::vector<Z>& k)
      : shape(s),
        values(static_cast<std::size_t>(s.B * s.H * s.T * s.S)),
        lse(static_cast<std::size_t>(s.B * s.H * s.T)) {
    for (std::int64_t b = 0; b < s.B; ++b) {
      for (std::int64_t h = 0; h < s.H; ++h) {
        for (std::int64_t t = 0; t < s.T; ++t) row(q, k, b, h, t);
      }
    }
  }

  Z& at(std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t i) {
    return values[static_cast<std::size_t>(((b * shape.H + h) * shape.T + t) * shape.S + i)];
  }

  bool sees(std::int64_t b, std::int64_t t, std::int64_t i) const {
    return !(shape.causal && i > t + shape.S - shape.T) &&
           !(shape.first_key && i < shape.first_key[b * shape.T + t]);
  }

 private:
  void row(const std::vector<Z>& q, const std::vector<Z>& k, std::int64_t b, std::int64_t h,
           std::int64_t t) {
    const std::int64_t kv = h / (shape.H / shape.Hkv);
    double max = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < shape.S; ++i) {
      if (!sees(b, t, i)) continue;
      Z dot = 0;
      for (std::int64_t d = 0; d < shape.D; ++d) {
        dot += q[static_cast<std::size_t>((b * shape.T + t) * shape.q_stride + h * shape.D + d)] *
               k[static_cast<std::size_t>((b * shape.S + i) * shape.k_stride + kv * shape.D + d)];
      }
      at(b, h, t, i) = shape.scale * dot;
      max = std::max(max, real(at(b, h, t, i)));
      largest_logit = std::max(largest_logit, std::abs(real(at(b, h, t, i))));
    }
    Z sum = 0;
    for (std::int64_t i = 0; i < shape.S; ++i) {
      if (!sees(b, t, i)) continue;
      at(b, h, t, i) = std::exp(at(b, h, t, i) - max);
      sum += at(b, h, t, i);
    }
    for (std::int64_t i = 0; i < shape.S; ++i) {
      if (sees(b, t, i)) at(b, h, t, i) /= sum;
    }
    lse[static_cast<std::size_t>((b * shape.H + h) * shape.T + t)] =
        real(sum) == 0 ? Z(-std::numeric_limits<double>::infinity()) : max + std::log(sum);
  }
};

/// out, with the shape's stride; what lies between tokens is zero.
template <class Z>
std::vector<Z> reference_attention(Probabilities<Z>& p, const std::vector<Z>& v) {
  const AttentionShape& s = p.shape;
  std::vector<Z> out(static_cast<std::size_t>(s.B * s.T * s.out_stride));
  for (std::int64_t b = 0; b < s.B; ++b) {
    for (std::int64_t h = 0; h < s.H; ++h) {
      const std::int64_t kv = h / (s.H / s.Hkv);
      for (std::int64_t t = 0; t < s.T; ++t) {
        for (std::int64_t i = 0; i < s.S; ++i) {
          for (std::int64_t d = 0; d < s.D; ++d) {
            out[static_cast<std::size_t>((b * s.T + t) * s.out_stride + h * s.D + d)] +=
                p.at(b, h, t, i) *
                v[static_cast<std::size_t>((b * s.S + i) * s.v_stride + kv * s.D + d)];
          }
        }
      }
    }
  }
  return out;
}

struct AttentionGradients {
  std::vector<double> dq, dk, dv;
  /// The largest sum of the magnitudes of what dq's and dk's elements are added up from: where one
  /// probability is near 1, the terms cancel, and rounding errors are relative to them.
  double dq_terms = 0, dk_terms = 0;
};

/// The gradients by the chain rule, from probabilities that are stored.
inline AttentionGradients reference_gradients(Probabilities<double>& p,
                                              const std::vector<double>& q,
                                              const std::vector<double>& k,
                                              const std::vector<double>& v,
                                              const std::vector<double>& dout) {
  const AttentionShape& s = p.shape;
  AttentionGradients g{std::vector<double>(q.size()), std::vector<double>(k.size()),
                       std::vector<double>(v.size())};
  std::vector<double> dq_terms(q.size()), dk_terms(k.size());
  std::vector<double> dp(static_cast<std::size_t>(s.S));
  for (std::int64_t b = 0; b < s.B; ++b) {
    for (std::int64_t h = 0; h < s.H; ++h) {
      const std::int64_t kv = h / (s.H / s.Hkv);
      for (std::int64_t t = 0; t < s.T; ++t) {
        const std::int64_t to_q = (b * s.T + t) * s.q_stride + h * s.D;
        const std::int64_t to_out = (b * s.T + t) * s.out_stride + h * s.D;
        double expectation = 0;
        for (std::int64_t i = 0; i < s.S; ++i) {
          const std::int64_t to_v = (b * s.S + i) * s.v_stride + kv * s.D;
          dp[static_cast<std::size_t>(i)] = 0;
          for (std::int64_t d = 0; d < s.D; ++d) {
            const double dout_d = dout[static_cast<std::size_t>(to_out + d)];
            dp[static_cast<std::size_t>(i)] += dout_d * v[static_cast<std::size_t>(to_v + d)];
            g.dv[static_cast<std::size_t>(to_v + d)] += p.at(b, h, t, i) * dout_d;
          }
          expectation += p.at(b, h, t, i) * dp[static_cast<std::size_t>(i)];
        }
        for (std::int64_t i = 0; i < s.S; ++i) {
          const std::int64_t to_k = (b * s.S + i) * s.k_stride + kv * s.D;
          const double weight = s.scale * p.at(b, h, t, i);
          const double dp_i = dp[static_cast<std::size_t>(i)];
          const double dlogit = weight * (dp_i - expectation);
          const double terms = weight * (std::abs(dp_i) + std::abs(expectation));
          for (std::int64_t d = 0; d < s.D; ++d) {
            const auto at_q = static_cast<std::size_t>(to_q + d);
            const auto at_k = static_cast<std::size_t>(to_k + d);
            g.dq[at_q] += dlogit * k[at_k];
            g.dk[at_k] += dlogit * q[at_q];
            dq_terms[at_q] += terms * std::abs(k[at_k]);
            dk_terms[at_k] += terms * std::abs(q[at_q]);
          }
        }
      }
    }
  }
  for (const double value : dq_terms) g.dq_terms = std::max(g.dq_terms, value);
  for (const double value : dk_terms) g.dk_terms = std::max(g.dk_terms, value);
  return g;
}

}  // namespace gladius::kernels
