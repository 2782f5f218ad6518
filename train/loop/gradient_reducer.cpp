#include "gladius/train/loop/gradient_reducer.h"

#include <algorithm>
#include <utility>

#include "gladius/optim/clip_grad.h"
#include "gladius/train/cluster/ordered_sum.h"

namespace gladius::train {

namespace {

std::vector<std::int64_t> sizes_of(const NamedVariables& parameters) {
  std::vector<std::int64_t> sizes;
  for (const auto& [name, parameter] : parameters) sizes.push_back(parameter.numel());
  return sizes;
}

}  // namespace

GradientReducer::GradientReducer(cluster::Communicator& ranks, NamedVariables parameters,
                                 Options options)
    : ranks_(ranks),
      parameters_(std::move(parameters)),
      options_(options),
      buckets_(sizes_of(parameters_), options.bucket) {
  for (std::size_t bucket = 0; bucket < buckets_.count(); ++bucket) {
    const std::int64_t begin = buckets_.begin(bucket), end = buckets_.end(bucket);
    const cluster::Share share = cluster::share_of(end - begin, ranks.rank(), ranks.size());
    const auto slices = buckets_.slices(begin + share.begin, begin + share.end);
    own_.insert(own_.end(), slices.begin(), slices.end());
  }
  if (options_.compress) residual_.resize(static_cast<std::size_t>(buckets_.elements()));
  worker_ = std::thread([this] { work(); });
}

GradientReducer::~GradientReducer() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    changed_.notify_all();
  }
  worker_.join();
}

void GradientReducer::begin() {
  left_ = buckets_.count();
  missing_.assign(left_, 0);
  is_complete_.assign(parameters_.size(), false);
  gradients_.assign(parameters_.size(), Tensor());
  present_.assign(parameters_.size(), 0);
  index_.clear();  // weights that were loaded are other leaves
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    index_[parameters_[i].second.node().get()] = i;
    if (parameters_[i].second.numel() == 0) continue;
    for (std::size_t b = buckets_.first_bucket(i); b <= buckets_.last_bucket(i); ++b) ++missing_[b];
  }
}

void GradientReducer::complete(const Node* leaf) {
  const auto found = index_.find(leaf);
  if (found == index_.end() || is_complete_[found->second]) return;
  const std::size_t i = found->second;
  Variable parameter = parameters_[i].second;
  is_complete_[i] = true;
  if (parameter.numel() == 0) return;
  present_[i] = parameter.grad().defined() ? 1 : 0;
  if (!parameter.grad().defined()) {
    parameter.set_grad(Tensor::zeros(parameter.shape(), parameter.dtype()));
  } else if (!parameter.grad().is_contiguous()) {
    parameter.set_grad(parameter.grad().contiguous());
  }
  {
    const std::lock_guard lock(mutex_);
    gradients_[i] = parameter.grad();
  }
  for (std::size_t b = buckets_.first_bucket(i); b <= buckets_.last_bucket(i); ++b) --missing_[b];
  while (left_ > 0 && missing_[left_ - 1] == 0) submit(--left_);
}

void GradientReducer::submit(std::size_t bucket) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(bucket);
  changed_.notify_all();
}

void GradientReducer::finish() {
  for (const auto& [name, parameter] : parameters_) complete(parameter.node().get());
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return (jobs_.empty() && !works_) || error_; });
    if (error_) std::rethrow_exception(error_);
  }
  present_ = cluster::sum_of(ranks_, std::move(present_));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Variable parameter = parameters_[i].second;
    if (present_[i] == 0) parameter.zero_grad();
  }
  gradients_.clear();
}

void GradientReducer::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return !jobs_.empty() || ends_; });
    if (ends_) return;
    const std::size_t bucket = jobs_.front();
    jobs_.pop_front();
    works_ = true;
    lock.unlock();
    std::exception_ptr error;
    try {
      reduce(bucket);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    works_ = false;
    if (error) error_ = error, jobs_.clear();
    changed_.notify_all();
  }
}

void GradientReducer::reduce(std::size_t bucket) {
  std::vector<Tensor> gradients;
  {
    const std::lock_guard lock(mutex_);
    gradients = gradients_;
  }
  buckets_.load(gradients, bucket, bucket_);
  if (options_.compress) {
    const std::span<float> residual = std::span(residual_).subspan(
        static_cast<std::size_t>(buckets_.begin(bucket)), bucket_.size());
    cluster::reduce_scatter_compressed(ranks_, bucket_, residual);
    if (options_.gather) cluster::all_gather_compressed(ranks_, bucket_, residual);
  } else {
    cluster::reduce_scatter(ranks_, bucket_);
    if (options_.gather) cluster::all_gather(ranks_, bucket_);
  }
  buckets_.store(bucket_, bucket, gradients);
}

std::vector<double> GradientReducer::own_squares() const {
  std::vector<double> squares(parameters_.size());
  for (const auto& [index, begin, end] : own_) {
    const Tensor gradient = parameters_[index].second.grad();
    if (!gradient.defined()) continue;
    squares[index] += sum_of_squares(gradient.reshape({-1}).narrow(0, begin, end - begin));
  }
  return squares;
}

void GradientReducer::gather_values() {
  std::vector<Tensor> values;
  for (const auto& [name, parameter] : parameters_) values.push_back(parameter.value());
  for (std::size_t bucket = 0; bucket < buckets_.count(); ++bucket) {
    buckets_.load(values, bucket, bucket_);
    cluster::all_gather(ranks_, bucket_);
    buckets_.store(bucket_, bucket, values);
  }
}

}  // namespace gladius::train
