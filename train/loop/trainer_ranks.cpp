// The steps of a group that several ranks compute.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "gladius/autograd/gradient_observer.h"
#include "gladius/train/loop/sharded_state.h"
#include "gladius/train/loop/trainer.h"
#include "gladius/train/run/student_optimizer.h"

namespace gladius::train {
namespace {

// A micro-batch's numbers as a row of a table, of which each rank fills in its own.
enum Column : std::size_t { kLoss, kKl, kCe, kTokens, kLabels, kShare, kMean, kColumns };

double or_nan(const std::optional<double>& value) {
  return value.value_or(std::numeric_limits<double>::quiet_NaN());
}
std::optional<double> unless_nan(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

}  // namespace

Trainer::MicroBatch Trainer::next_of_group() {
  if (computed_.empty()) compute_group();
  MicroBatch next = std::move(computed_.front());
  computed_.pop_front();
  return next;
}

// All that is left of the group. A run that resumes within one has its gradients on rank 0.
void Trainer::compute_group() {
  const auto start = std::chrono::steady_clock::now();
  const double waited = ranks_->waited();
  const std::int64_t first = state_.step, begin = plan_.group_begin(first);
  const std::int64_t end = begin + plan_.group_size(first);
  prepare_group();
  reducer_->begin();
  std::vector<MicroBatch> group;
  for (std::int64_t step = first; step < end; ++step) {
    if (ranks_->owner(step - begin) == ranks_->rank()) {
      std::optional<GradientObserver> observer;
      if (step + ranks_->size() >= end) {  // the last of its own
        observer.emplace([this](const Node* leaf) { reducer_->complete(leaf); });
      }
      group.push_back(compute(step));
      written_.reset();
      continue;
    }
    batches_.next();
    group.emplace_back();
    group.back().place = batches_.place();
  }
  const auto computed = std::chrono::steady_clock::now();
  reducer_->finish();
  ranks_->add_waited(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - computed).count());
  exchange(group, first);
  double tokens = 0;
  for (const MicroBatch& one : group) tokens += static_cast<double>(one.tokens);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  // Of the time until here, so that all ranks can tell theirs in one message.
  const std::vector<double> sums = ranks_->sum({(ranks_->waited() - waited) / time.count()});
  waiting_ = sums[0] / ranks_->size();
  for (MicroBatch& one : group) {
    one.tokens_per_s = tokens / time.count();
    computed_.push_back(std::move(one));
  }
}

// Fills in what the other ranks have computed.
void Trainer::exchange(std::vector<MicroBatch>& group, std::int64_t first) {
  const std::int64_t begin = plan_.group_begin(first);
  std::vector<double> table(group.size() * kColumns);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (ranks_->owner(first + static_cast<std::int64_t>(i) - begin) != ranks_->rank()) continue;
    const MicroBatch& own = group[i];
    double* row = &table[i * kColumns];
    row[kLoss] = own.loss;
    row[kKl] = own.kl.value_or(0);
    row[kCe] = own.ce;
    row[kTokens] = static_cast<double>(own.tokens);
    row[kLabels] = own.has_labels ? 1 : 0;
    if (!own.on_policy) continue;
    row[kShare] = own.on_policy->share;
    row[kMean] = or_nan(own.on_policy->mean_tokens);
  }
  table = ranks_->sum(std::move(table));
  for (std::size_t i = 0; i < group.size(); ++i) {
    MicroBatch& one = group[i];
    const double* row = &table[i * kColumns];
    one.loss = row[kLoss];
    if (!std::isfinite(one.loss)) {
      const std::int64_t step = first + static_cast<std::int64_t>(i);
      nonfinite_rank_ = ranks_->owner(step - begin);
      warn_(fmt::format("step {}: the loss is {} (on rank {})", step, one.loss, *nonfinite_rank_));
    }
    if (teacher_) one.kl = row[kKl];
    one.ce = row[kCe];
    one.tokens = std::llround(row[kTokens]);
    one.has_labels = row[kLabels] > 0;
    if (!on_policy_) continue;
    if (!one.on_policy) one.on_policy.emplace();
    one.on_policy->share = row[kShare];
    one.on_policy->mean_tokens = unless_nan(row[kMean]);
  }
}

void Trainer::make_sharded_optimizer() {
  slices_ = slice_parameters(student_->parameters_with_roles(), reducer_->own());
  optimizer_ = make_optimizer(config_.optimizer, slices_);
}

// Of each parameter's gradient, by the ranks' shares, however the optimizer is.
std::vector<double> Trainer::squares() const { return ranks_->sum(reducer_->own_squares()); }

void Trainer::apply(double scale) {
  if (!is_sharded()) return optimizer_.step(scale);
  restored_optimizer_.clear();
  slice_gradients(slices_, reducer_->own(), parameters_);
  optimizer_.step(scale);
  const auto updated = std::chrono::steady_clock::now();
  reducer_->gather_values();
  ranks_->add_waited(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - updated).count());
}

}  // namespace gladius::train
