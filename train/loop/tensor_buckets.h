// Many tensors as one row of numbers, in buckets of one size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gladius/tensor/tensor.h"

namespace gladius::train {

/// Elements of a bucket that is sent at once: 16 MB.
inline constexpr std::int64_t kBucketElements = std::int64_t{4} << 20;

/// Where the elements of tensors lie if these are put one behind another and cut into buckets, of
/// which the last may be smaller. Tensors are F32 and lie row by row.
class TensorBuckets {
 public:
  /// `sizes`: elements of each tensor.
  explicit TensorBuckets(const std::vector<std::int64_t>& sizes,
                         std::int64_t bucket = kBucketElements);

  std::int64_t elements() const { return all_; }
  /// How many buckets there are.
  std::size_t count() const { return all_ == 0 ? 0 : bucket_of(all_ - 1) + 1; }
  /// The bucket's elements among all.
  std::int64_t begin(std::size_t bucket) const {
    return static_cast<std::int64_t>(bucket) * bucket_;
  }
  std::int64_t end(std::size_t bucket) const { return std::min(begin(bucket) + bucket_, all_); }
  /// The first element of a tensor among all; behind the last tensor their number.
  std::int64_t tensor_begin(std::size_t tensor) const { return begins_[tensor]; }
  /// Those that a tensor, which is not empty, lies in.
  std::size_t first_bucket(std::size_t tensor) const { return bucket_of(begins_[tensor]); }
  std::size_t last_bucket(std::size_t tensor) const { return bucket_of(begins_[tensor + 1] - 1); }

  /// Elements begin .. end - 1 of a tensor.
  struct Slice {
    std::size_t tensor = 0;
    std::int64_t begin = 0, end = 0;
  };
  /// What tensors have of elements `begin` .. `end` - 1 of all.
  std::vector<Slice> slices(std::int64_t begin, std::int64_t end) const;

  /// Copies a bucket's elements out of the tensors into `values`, which gets its size.
  void load(const std::vector<Tensor>& tensors, std::size_t bucket,
            std::vector<float>& values) const;
  /// The inverse.
  void store(const std::vector<float>& values, std::size_t bucket,
             const std::vector<Tensor>& tensors) const;

 private:
  std::size_t bucket_of(std::int64_t element) const {
    return static_cast<std::size_t>(element / bucket_);
  }

  std::int64_t bucket_;
  std::vector<std::int64_t> begins_{0};
  std::int64_t all_ = 0;
};

}  // namespace gladius::train
