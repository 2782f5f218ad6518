// The fused operations as plain compositions of primitive ones, which their tests compare them
// with.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/attention.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/tensor/reduce.h"

namespace gladius::testing::composed {

inline Variable rms_norm(const Variable& x, const Variable& weight, double eps) {
  return x * rsqrt(mean(x * x, {-1}, true) + eps) * weight;
}

inline Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias,
                           double eps) {
  return (x - mean(x, {-1}, true)) / sqrt(var(x, {-1}, 0, true) + eps) * weight + bias;
}

inline Variable swiglu(const Variable& gate, const Variable& up) {
  return gate / (exp(-gate) + 1.0) * up;
}

inline Variable linear(const Variable& x, const Variable& weight) {
  return gladius::matmul(x, transpose(weight, 0, 1));
}

inline Variable embedding(const Variable& weight, const Tensor& ids) {
  Shape shape = ids.shape();
  shape.push_back(weight.size(1));
  return reshape(index_select(weight, 0, ids.reshape({ids.numel()})), shape);
}

/// As Hugging Face writes it: x * cos + rotate_half(x) * sin.
inline Variable rotary_embedding(const Variable& x, const Tensor& cos, const Tensor& sin,
                                 const Tensor& positions) {
  const std::int64_t H = x.size(-2), D = x.size(-1), half = D / 2, tokens = positions.numel();
  const Tensor picked = positions.reshape({tokens});
  const auto angles = [&](const Tensor& table) {
    const Variable rows = index_select(Variable(table), 0, picked);
    return unsqueeze(cat({rows, rows}, -1), 1);
  };
  const Variable heads = reshape(x, {tokens, H, D});
  const Variable rotated = cat({-narrow(heads, -1, half, half), narrow(heads, -1, 0, half)}, -1);
  return reshape(heads * angles(cos) + rotated * angles(sin), x.shape());
}

/// exp(x) / sum(exp(x)) along `dim`, shifted by a constant.
inline Variable softmax(const Variable& x, std::int64_t dim) {
  const Variable e = exp(x - Variable(gladius::amax(x.value(), {dim}, true)));
  return e / sum(e, {dim}, true);
}

inline Variable log_softmax(const Variable& x, std::int64_t dim) {
  return x - logsumexp(x, {dim}, true);
}

/// Which keys each query sees: BOOL [B, 1, T, S].
inline Tensor visible_keys(std::int64_t B, std::int64_t T, std::int64_t S,
                           const AttentionOptions& options) {
  const Tensor visible = Tensor::empty({B, 1, T, S}, Dtype::BOOL);
  const std::vector<std::int64_t> first = options.first_key.defined()
                                              ? options.first_key.to_vector<std::int64_t>()
                                              : std::vector<std::int64_t>(B * T, 0);
  bool* out = visible.data<bool>();
  for (std::int64_t row = 0; row < B * T; ++row) {
    for (std::int64_t s = 0; s < S; ++s) {
      const bool later = options.causal && s > row % T + S - T;
      *out++ = !later && s >= first[static_cast<std::size_t>(row)];
    }
  }
  return visible;
}

/// With the matrices of scores and probabilities [B, H, T, S].
inline Variable attention(const Variable& q, const Variable& k, const Variable& v,
                          const AttentionOptions& options) {
  const std::int64_t B = q.size(0), T = q.size(1), S = k.size(1), H = q.size(2), D = q.size(3);
  std::vector<std::int64_t> sharing;
  for (std::int64_t h = 0; h < H; ++h) sharing.push_back(h / (H / k.size(2)));
  const Tensor heads = Tensor::from(sharing, {H});
  const auto by_head = [](const Variable& x) { return transpose(x, 1, 2); };
  const Variable keys = by_head(index_select(k, 2, heads));
  const Variable values = by_head(index_select(v, 2, heads));
  const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(D));
  const Variable scores = gladius::matmul(by_head(q), transpose(keys, -1, -2)) * scale;
  if (S == 0) return Variable(Tensor::zeros(q.shape(), q.dtype()));
  const Tensor visible = visible_keys(B, T, S, options);
  // A row without keys is all zeros: its exponentials are masked and its sum is lifted off 0.
  const Variable hidden(Tensor::full({}, -1e30, q.dtype()));
  const Variable masked = where(visible, scores, hidden);
  const Variable e = exp(masked - Variable(gladius::amax(masked.value(), {-1}, true))) *
                     Variable(visible.to(q.dtype()));
  const Tensor any = gladius::amax(visible.to(q.dtype()), {-1}, true);
  const Variable blind = -Variable(any) + 1.0;
  return by_head(gladius::matmul(e / (sum(e, {-1}, true) + blind), values));
}

inline Variable cross_entropy(const Variable& logits, const Tensor& labels,
                              std::int64_t ignore_index,
                              LossReduction reduction = LossReduction::mean) {
  std::vector<std::int64_t> picks = labels.to_vector<std::int64_t>();
  std::vector<double> counts;
  double count = 0;
  for (std::int64_t& label : picks) {
    counts.push_back(label != ignore_index);
    count += counts.back();
    if (label == ignore_index) label = 0;
  }
  const std::int64_t N = logits.size(0);
  const Variable picked = gather(composed::log_softmax(logits, 1), 1, Tensor::from(picks, {N, 1}));
  const Variable weights(Tensor::from(counts, {N, 1}).to(logits.dtype()));
  const Variable terms = reshape(-(picked * weights), {N});
  if (reduction == LossReduction::none) return terms;
  return sum(terms) * (reduction == LossReduction::mean && count > 0 ? 1 / count : 1);
}

/// D(p, q) of distributions of which the logarithms are given, [N, K] -> [N].
inline Variable divergence_of_rows(const Variable& log_p, const Variable& log_q,
                                   const DistillationOptions& options) {
  const Variable p = exp(log_p), q = exp(log_q);
  const auto kl = [](const Variable& of, const Variable& log_of, const Variable& log_from) {
    return sum(of * (log_of - log_from), {1});
  };
  if (options.divergence == Divergence::forward_kl) return kl(p, log_p, log_q);
  if (options.divergence == Divergence::reverse_kl) return kl(q, log_q, log_p);
  const Variable log_m = log(p * options.beta + q * (1 - options.beta));
  if (options.divergence == Divergence::skew_kl) return kl(p, log_p, log_m);
  return kl(p, log_p, log_m) * options.beta + kl(q, log_q, log_m) * (1 - options.beta);
}

/// Whether the divergence counts each row.
inline std::vector<bool> compared_rows(const Tensor& labels, const DistillationOptions& options) {
  std::vector<bool> counted;
  for (const std::int64_t label : labels.to_vector<std::int64_t>()) {
    counted.push_back(!options.labelled_only || label != options.ignore_index);
  }
  for (std::size_t i = 0; options.compared.defined() && i < counted.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    counted[i] = counted[i] && options.compared.select(0, row).to(Dtype::F64).item() != 0;
  }
  return counted;
}

/// What the divergence is divided by.
inline double divergence_terms(const Tensor& labels, const DistillationOptions& options) {
  if (options.reduction == LossReduction::batchmean) {
    return static_cast<double>(options.sequences);
  }
  const auto counted = std::ranges::count(compared_rows(labels, options), true);
  return static_cast<double>(std::max<std::int64_t>(1, counted));
}

/// The divergence of the softened distributions over the first `vocabulary` entries, times
/// temperature^2, reduced.
inline Variable divergence(const Variable& student, const Tensor& teacher, const Tensor& labels,
                           const DistillationOptions& options) {
  const std::int64_t K = options.vocabulary > 0 ? options.vocabulary : student.size(1);
  const auto softened = [&](const Variable& logits) {
    return composed::log_softmax(narrow(logits, 1, 0, K) * (1 / options.temperature), 1);
  };
  std::vector<double> counts;
  for (const bool counts_row : compared_rows(labels, options)) counts.push_back(counts_row);
  const Variable counted(Tensor::from(counts, {std::ssize(counts)}).to(student.dtype()));
  const Variable terms = divergence_of_rows(softened(Variable(teacher.to(student.dtype()))),
                                            softened(student), options);
  return sum(terms * counted) *
         (options.temperature * options.temperature / divergence_terms(labels, options));
}

inline Variable distillation_loss(const Variable& student, const Tensor& teacher,
                                  const Tensor& labels, const DistillationOptions& options) {
  // A part of a larger loss is divided by that one's terms.
  const auto share = [](double own, std::int64_t whole) {
    return whole != 0 ? own / static_cast<double>(whole) : 1;
  };
  const auto list = labels.to_vector<std::int64_t>();
  const auto labelled = static_cast<double>(
      std::max<std::int64_t>(1, std::ssize(list) - std::ranges::count(list, options.ignore_index)));
  const auto& [of_ce, of_divergence] = options.divisors;
  return composed::divergence(student, teacher, labels, options) *
             (options.alpha * share(divergence_terms(labels, options), of_divergence)) +
         composed::cross_entropy(student, labels, options.ignore_index) *
             ((1 - options.alpha) * share(labelled, of_ce));
}

}  // namespace gladius::testing::composed
