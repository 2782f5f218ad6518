#include "gladius/autograd/ops/alm_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gladius/autograd/ops/linear_blocks.h"
#include "gladius/tensor/dispatch.h"
#include "gladius/tensor/kernels/distillation_loss.h"
#include "gladius/tensor/parallel.h"

namespace gladius {
namespace {

using namespace linear_blocks;
using namespace vocabulary_loss;

// Below this -log p is summed again from the other entries, as 1 - p has lost its digits.
constexpr double kNearlyCertain = 1e-2;
// No student is more certain: gradients stay finite.
constexpr double kLeastNll = 1e-30;

// log(1 - e^a) for a < 0.
double log1mexp(double a) {
  constexpr double kLog2 = 0.6931471805599453;
  return a > -kLog2 ? std::log(-std::expm1(a)) : std::log1p(-std::exp(a));
}

// The loss of a chunk and its derivative by aS < 0.
std::pair<double, double> matched(double teacher, double student) {
  const double p = std::exp(teacher), other = -std::expm1(teacher);
  const double unlikely = other == 0 ? 0 : other * log1mexp(student);
  return {-(p * student + unlikely), (std::exp(student) - p) / -std::expm1(student)};
}

// The work on a block of rows, the first of which is `begin`.
template <class T>
class AlmBlock {
 public:
  AlmBlock(const Task& task, const AlmTargets& targets, double tau, const Tensor& labels,
           const Tensor& logits, std::int64_t begin)
      : task_(task),
        tau_(tau),
        V_(logits.size(1)),
        z_(logits.data<T>()),
        labels_(labels.data<std::int64_t>() + begin),
        tokens_(targets.tokens.data<std::int64_t>() + begin),
        rows_(static_cast<std::size_t>(logits.size(0))) {
    for (const AlmChunk& chunk : targets.chunks) {
      if (chunk.begin < begin || chunk.begin >= begin + logits.size(0)) continue;
      chunks_.push_back({chunk.begin - begin, chunk.end - begin, chunk.teacher});
      for (std::int64_t i = chunks_.back().begin; i < chunks_.back().end; ++i) at(i).inside = true;
    }
  }

  Terms run(T* gradient) {
    each_row([this](std::int64_t i, T* certain) { read(i, certain); });
    Terms terms{.ce = {}, .kl = std::vector<double>(rows_.size())};
    for (const Row& row : rows_) terms.ce.push_back(row.ce);
    for (const AlmChunk& chunk : chunks_) {
      terms.kl[static_cast<std::size_t>(chunk.begin)] =
          task_.temperature * task_.temperature * match(chunk);
    }
    if (gradient) {
      each_row([&](std::int64_t i, T* certain) { differentiate(i, certain, gradient + i * V_); });
    }
    return terms;
  }

 private:
  struct Row {
    bool inside = false;     // of a chunk
    double ce = 0, nll = 0;  // nll: -log p(token)
    double slope = 0;        // of the chunk's loss by nll
  };
  Row& at(std::int64_t i) { return rows_[static_cast<std::size_t>(i)]; }

  // Calls body(row, logits of a teacher that is certain of the row's token).
  template <class Body>
  void each_row(const Body& body) {
    parallel_for(std::ssize(rows_), 1, [&](std::int64_t low, std::int64_t high) {
      std::vector<T> certain(static_cast<std::size_t>(V_), -std::numeric_limits<T>::infinity());
      for (std::int64_t i = low; i < high; ++i) {
        if (!at(i).inside) {
          body(i, static_cast<T*>(nullptr));
          continue;
        }
        const auto token = static_cast<std::size_t>(tokens_[i]);
        certain[token] = 0;
        body(i, certain.data());
        certain[token] = -std::numeric_limits<T>::infinity();
      }
    });
  }

  // KL of a distribution that is certain is -log p, by T^2.
  double kernel(std::int64_t i, const T* certain, T* gradient, double kl_scale) {
    double kl = 0;
    kernels::distillation_loss<T>(z_ + i * V_, certain, labels_ + i, gradient, &at(i).ce, &kl, 1,
                                  V_, V_, V_, task_.ignore_index, task_.temperature, task_.ce_scale,
                                  kl_scale);
    return kl;
  }

  void read(std::int64_t i, const T* certain) {
    const double kl = kernel(i, certain, nullptr, 0);
    double nll = kl / (task_.temperature * task_.temperature);
    if (certain && nll < kNearlyCertain) nll = nll_of_others(i);
    at(i).nll = std::max(nll, kLeastNll);
  }

  // log(1 + the sum of the other entries' odds).
  double nll_of_others(std::int64_t i) const {
    const T* z = z_ + i * V_;
    const double own = static_cast<double>(z[tokens_[i]]);
    double odds = 0;
    for (std::int64_t v = 0; v < V_; ++v) {
      if (v == tokens_[i]) continue;
      odds += std::exp((static_cast<double>(z[v]) - own) / task_.temperature);
    }
    return std::log1p(odds);
  }

  double match(const AlmChunk& chunk) {
    double nll = 0;
    for (std::int64_t i = chunk.begin; i < chunk.end; ++i) nll += at(i).nll;
    const auto [value, slope] = matched(std::min(chunk.teacher / tau_, 0.0), -nll / tau_);
    for (std::int64_t i = chunk.begin; i < chunk.end; ++i) at(i).slope = -slope / tau_;
    return value;
  }

  void differentiate(std::int64_t i, const T* certain, T* gradient) {
    kernel(i, certain, gradient, task_.kl_scale * at(i).slope);
    if (!certain || at(i).nll >= kNearlyCertain) return;
    // The gradient adds up to 0; p - 1 has lost its digits.
    double others = 0;
    for (std::int64_t v = 0; v < V_; ++v) {
      if (v != tokens_[i]) others += static_cast<double>(gradient[v]);
    }
    gradient[tokens_[i]] = static_cast<T>(-others);
  }

  const Task& task_;
  double tau_;
  std::int64_t V_;
  const T* z_;
  const std::int64_t* labels_;
  const std::int64_t* tokens_;
  std::vector<Row> rows_;
  std::vector<AlmChunk> chunks_;
};

void check_targets(const char* op, const AlmTargets& targets, std::int64_t N, std::int64_t V) {
  if (targets.tokens.shape() != Shape{N}) {
    throw ShapeError(fmt::format("{}: tokens {} of {} rows", op, targets.tokens.describe(), N));
  }
  const auto tokens = targets.tokens.to_vector<std::int64_t>();
  for (std::int64_t last = 0; const AlmChunk& chunk : targets.chunks) {
    if (chunk.begin < last || chunk.end <= chunk.begin || chunk.end > N) {
      throw ShapeError(fmt::format("{}: chunk [{}, {}) behind row {} of {}", op, chunk.begin,
                                   chunk.end, last, N));
    }
    for (std::int64_t i = last = chunk.begin; i < chunk.end; last = ++i) {
      const std::int64_t token = tokens[static_cast<std::size_t>(i)];
      if (token >= 0 && token < V) continue;
      throw ShapeError(fmt::format("{}: token {} at row {} is not in [0, {})", op, token, i, V));
    }
  }
}

// No chunk is divided.
std::vector<std::int64_t> ends_at_chunks(const AlmTargets& targets, std::int64_t N) {
  std::vector<std::int64_t> ends;
  auto chunk = targets.chunks.begin();
  for (std::int64_t end : block_ends(N)) {
    chunk = std::find_if(chunk, targets.chunks.end(),
                         [&](const AlmChunk& candidate) { return candidate.end > end; });
    if (chunk != targets.chunks.end() && chunk->begin < end) end = chunk->end;
    if (ends.empty() || end > ends.back()) ends.push_back(end);
  }
  return ends;
}

}  // namespace

DistillationLoss linear_alm_loss(const Variable& x, const Variable& weight,
                                 const AlmTargets& targets, const Tensor& labels,
                                 const DistillationOptions& options, double tau) {
  constexpr const char* kName = "linear_alm_loss";
  check(kName, x, weight, labels);
  require_forward_kl(kName, options);
  const AlmTargets fitting{fitting_labels(kName, targets.tokens), targets.chunks};
  check_targets(kName, fitting, x.size(0), weight.size(0));
  DistillationOptions settings = options;
  settings.rows = std::max<std::int64_t>(1, std::ssize(targets.chunks));
  settings.vocabulary = 0;
  const Tensor classes = fitting_labels(kName, labels);
  const Distillation settled = distillation(kName, weight.size(0), classes, settings);
  Forward result =
      forward(x, weight, ends_at_chunks(fitting, x.size(0)),
              [&](const Tensor& logits, std::int64_t begin, const Tensor& gradient) {
                return dispatch_floating(kName, logits.dtype(), [&](auto zero) {
                  using T = decltype(zero);
                  return AlmBlock<T>(settled.task, fitting, tau, classes, logits, begin)
                      .run(gradient.defined() ? gradient.data<T>() : nullptr);
                });
              });
  return record_distillation(x, weight, std::move(result), settled);
}

}  // namespace gladius
