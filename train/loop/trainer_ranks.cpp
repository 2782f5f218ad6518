// The steps of a group that several ranks compute.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

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

void Trainer::join_ranks() {
  const ClusterConfig& cluster = config_.cluster;
  const bool compress = cluster.compress == ClusterCompression::bf16;
  if (cluster.local_updates > 0) {
    local_ = std::make_unique<LocalUpdates>(
        *ranks_, student_->named_parameters(),
        LocalUpdates::Options{
            .lr = cluster.outer_lr, .momentum = cluster.outer_momentum, .compress = compress});
    return;
  }
  reducer_ = std::make_unique<GradientReducer>(
      ranks_->communicator(), student_->named_parameters(),
      GradientReducer::Options{.gather = !cluster.shard_optimizer, .compress = compress});
  if (is_sharded()) make_sharded_optimizer();
}

// Whether this rank computes the micro-batch with this number within its group.
bool Trainer::is_own(std::int64_t micro_batch) const {
  return !ranks_ || ranks_->owner(micro_batch) == ranks_->rank();
}

// Those that an update's gradient is the mean of.
std::int64_t Trainer::averaged_micro_batches() const {
  const std::int64_t all = plan_.group_size(state_.step);
  return local_ ? (all - ranks_->rank() + ranks_->size() - 1) / ranks_->size() : all;
}

Trainer::MicroBatch Trainer::next_of_group() {
  if (computed_.empty()) compute_group();
  MicroBatch next = std::move(computed_.front());
  computed_.pop_front();
  return next;
}

// All that is left of the group. A run that resumes within one has its gradients on rank 0.
void Trainer::compute_group() {
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t first = state_.step, begin = plan_.group_begin(first);
  const std::int64_t end = begin + plan_.group_size(first);
  prepare_group();
  std::vector<MicroBatch> group;
  if (reducer_) reducer_->begin();
  for (std::int64_t step = first; step < end; ++step) {
    if (is_own(step - begin)) {
      std::optional<GradientObserver> observer;
      if (reducer_ && step + ranks_->size() >= end) {  // the last of its own
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
  if (reducer_) ranks_->wait_for([this] { reducer_->finish(); });
  exchange(group, first);
  double tokens = 0;
  for (const MicroBatch& one : group) tokens += static_cast<double>(one.tokens);
  // An update belongs to the next group's time, which ends here, so that all ranks can tell theirs
  // in one message.
  const std::chrono::duration<double> computed = std::chrono::steady_clock::now() - start;
  const double time = computed.count() + std::exchange(update_s_, 0), waited = ranks_->waited();
  const double own = (waited - std::exchange(waited_before_, waited)) / time;
  waiting_ = ranks_->sum({std::min(own, 1.0)})[0] / ranks_->size();
  for (MicroBatch& one : group) {
    one.tokens_per_s = tokens / time;
    computed_.push_back(std::move(one));
  }
}

// Fills in what the other ranks have computed.
void Trainer::exchange(std::vector<MicroBatch>& group, std::int64_t first) {
  const std::int64_t begin = plan_.group_begin(first);
  std::vector<double> table(group.size() * kColumns);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!is_own(first + static_cast<std::int64_t>(i) - begin)) continue;
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

// The sum's, of which each rank has squared a share, however the optimizer is.
Trainer::GroupGradient Trainer::summed_gradient() const {
  std::vector<double> squares = ranks_->sum(reducer_->own_squares());
  const ClippedNorm own = clipped_norm(squares, config_.optimizer.max_grad_norm);
  const std::vector<double> agreed = ranks_->of_rank_0({own.norm, own.scale});  // CPUs may differ
  return {.squares = std::move(squares), .clipped = {.norm = agreed[0], .scale = agreed[1]}};
}

// This rank's own, and of all for the record.
Trainer::GroupGradient Trainer::local_gradient() const {
  const std::vector<double> own = gradient_squares(parameters_);
  const double scale = clipped_norm(own, config_.optimizer.max_grad_norm).scale;
  std::vector<double> means = ranks_->sum(own);
  const auto computing =
      static_cast<double>(std::min<std::int64_t>(ranks_->size(), plan_.group_size(state_.step)));
  double sum = 0;
  for (double& mean : means) sum += mean /= computing;
  return {.squares = std::move(means), .clipped = {.norm = std::sqrt(sum), .scale = scale}};
}

void Trainer::apply(double scale) {
  if (!is_sharded()) return optimizer_.step(scale);
  restored_optimizer_.clear();
  slice_gradients(slices_, reducer_->own(), parameters_);
  optimizer_.step(scale);
  ranks_->wait_for([this] { reducer_->gather_values(); });
}

}  // namespace gladius::train
