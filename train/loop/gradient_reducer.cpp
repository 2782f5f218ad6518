#include "gladius/train/loop/gradient_reducer.h"

#include <algorithm>
#include <utility>

#include "gladius/optim/clip_grad.h"
#include "gladius/train/cluster/ordered_sum.h"

namespace gladius::train {

GradientReducer::GradientReducer(cluster::Communicator& ranks, NamedVariables parameters,
                                 Options options)
    : ranks_(ranks), parameters_(std::move(parameters)), options_(options), begins_{0} {
  for (const auto& [name, parameter] : parameters_) {
    begins_.push_back(begins_.back() + parameter.numel());
  }
  const std::int64_t all = begins_.back();
  for (std::int64_t begin = 0; begin < all; begin += options_.bucket) {
    const std::int64_t end = std::min(begin + options_.bucket, all);
    const cluster::Share share = cluster::share_of(end - begin, ranks.rank(), ranks.size());
    const std::int64_t from = begin + share.begin, to = begin + share.end;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const std::int64_t first = std::max(from, begins_[i]), last = std::min(to, begins_[i + 1]);
      if (first < last) own_.push_back({i, first - begins_[i], last - begins_[i]});
    }
  }
  if (options_.compress) residual_.resize(static_cast<std::size_t>(all));
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
  left_ = buckets();
  missing_.assign(left_, 0);
  is_complete_.assign(parameters_.size(), false);
  gradients_.assign(parameters_.size(), Tensor());
  present_.assign(parameters_.size(), 0);
  index_.clear();  // weights that were loaded are other leaves
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    index_[parameters_[i].second.node().get()] = i;
    if (parameters_[i].second.numel() == 0) continue;
    for (std::size_t b = first_bucket(i); b <= last_bucket(i); ++b) ++missing_[b];
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
  for (std::size_t b = first_bucket(i); b <= last_bucket(i); ++b) --missing_[b];
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
  load(gradients, bucket);
  if (options_.compress) {
    const std::span<float> residual = std::span(residual_).subspan(
        bucket * static_cast<std::size_t>(options_.bucket), bucket_.size());
    cluster::reduce_scatter_compressed(ranks_, bucket_, residual);
    if (options_.gather) cluster::all_gather_compressed(ranks_, bucket_, residual);
  } else {
    cluster::reduce_scatter(ranks_, bucket_);
    if (options_.gather) cluster::all_gather(ranks_, bucket_);
  }
  store(gradients, bucket);
}

void GradientReducer::load(const std::vector<Tensor>& tensors, std::size_t bucket) {
  const std::int64_t begin = static_cast<std::int64_t>(bucket) * options_.bucket;
  const std::int64_t end = std::min(begin + options_.bucket, begins_.back());
  bucket_.resize(static_cast<std::size_t>(end - begin));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::int64_t from = std::max(begin, begins_[i]), to = std::min(end, begins_[i + 1]);
    if (from >= to) continue;
    std::copy_n(tensors[i].data<float>() + (from - begins_[i]), to - from,
                bucket_.begin() + (from - begin));
  }
}

void GradientReducer::store(const std::vector<Tensor>& tensors, std::size_t bucket) {
  const std::int64_t begin = static_cast<std::int64_t>(bucket) * options_.bucket;
  const std::int64_t end = begin + std::ssize(bucket_);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::int64_t from = std::max(begin, begins_[i]), to = std::min(end, begins_[i + 1]);
    if (from >= to) continue;
    std::copy_n(bucket_.begin() + (from - begin), to - from,
                tensors[i].data<float>() + (from - begins_[i]));
  }
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
  for (std::size_t bucket = 0; bucket < buckets(); ++bucket) {
    load(values, bucket);
    cluster::all_gather(ranks_, bucket_);
    store(values, bucket);
  }
}

}  // namespace gladius::train
