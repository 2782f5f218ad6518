#include "gladius/train/loop/tensor_buckets.h"

namespace gladius::train {

TensorBuckets::TensorBuckets(const std::vector<std::int64_t>& sizes, std::int64_t bucket)
    : bucket_(bucket) {
  for (const std::int64_t size : sizes) begins_.push_back(begins_.back() + size);
  all_ = begins_.back();
}

std::vector<TensorBuckets::Slice> TensorBuckets::slices(std::int64_t begin,
                                                        std::int64_t end) const {
  std::vector<Slice> slices;
  // The last tensor that begins at `begin` or before, or an empty one there.
  const auto behind = std::upper_bound(begins_.begin(), begins_.end(), begin);
  for (auto i = static_cast<std::size_t>(behind - begins_.begin()) - 1;
       i + 1 < begins_.size() && begins_[i] < end; ++i) {
    const std::int64_t from = std::max(begin, begins_[i]), to = std::min(end, begins_[i + 1]);
    if (from < to) slices.push_back({i, from - begins_[i], to - begins_[i]});
  }
  return slices;
}

void TensorBuckets::load(const std::vector<Tensor>& tensors, std::size_t bucket,
                         std::vector<float>& values) const {
  values.resize(static_cast<std::size_t>(end(bucket) - begin(bucket)));
  auto to = values.begin();
  for (const auto& [tensor, first, last] : slices(begin(bucket), end(bucket))) {
    to = std::copy_n(tensors[tensor].data<float>() + first, last - first, to);
  }
}

void TensorBuckets::store(const std::vector<float>& values, std::size_t bucket,
                          const std::vector<Tensor>& tensors) const {
  auto from = values.begin();
  for (const auto& [tensor, first, last] : slices(begin(bucket), end(bucket))) {
    std::copy_n(from, last - first, tensors[tensor].data<float>() + first);
    from += last - first;
  }
}

}  // namespace gladius::train
