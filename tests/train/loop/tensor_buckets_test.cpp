#include "gladius/train/loop/tensor_buckets.h"

#include <gtest/gtest.h>

#include <random>

#include "support/random.h"

namespace gladius::train {
namespace {

using testing::random_int;
using testing::Rng;

// Beside one row that is cut by hand.
TEST(TensorBuckets, CutTensorsThatLieOneBehindAnother) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::vector<Tensor> tensors;
  std::vector<std::int64_t> sizes;
  std::vector<float> row;
  std::vector<std::size_t> owner;  // of each element: its tensor
  for (std::int64_t i = random_int(rng, 0, 6); i > 0; --i) {
    const std::int64_t size = random_int(rng, 0, 9);
    tensors.push_back(testing::random_tensor(rng, {size}, -1, 1, Dtype::F32));
    sizes.push_back(size);
    for (const float value : tensors.back().to_vector<float>()) {
      owner.push_back(tensors.size() - 1);
      row.push_back(value);
    }
  }
  const std::int64_t bucket = random_int(rng, 1, 12), all = std::ssize(row);
  const TensorBuckets buckets(sizes, bucket);
  ASSERT_EQ(buckets.elements(), all);
  ASSERT_EQ(static_cast<std::int64_t>(buckets.count()), (all + bucket - 1) / bucket);
  std::vector<Tensor> copies;
  for (const Tensor& tensor : tensors) copies.push_back(Tensor::zeros(tensor.shape(), Dtype::F32));
  for (std::size_t b = 0; b < buckets.count(); ++b) {
    std::vector<float> values;
    buckets.load(tensors, b, values);
    EXPECT_EQ(values,
              std::vector<float>(row.begin() + buckets.begin(b), row.begin() + buckets.end(b)));
    buckets.store(values, b, copies);
    for (std::int64_t i = buckets.begin(b); i < buckets.end(b); ++i) {
      const std::size_t tensor = owner[static_cast<std::size_t>(i)];
      EXPECT_LE(buckets.first_bucket(tensor), b);
      EXPECT_GE(buckets.last_bucket(tensor), b);
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(copies[i].to_vector<float>(), tensors[i].to_vector<float>());
  }
  const std::int64_t from = random_int(rng, 0, all), to = random_int(rng, from, all);
  std::int64_t next = from;
  for (const auto& [tensor, begin, end] : buckets.slices(from, to)) {
    EXPECT_LT(begin, end);
    EXPECT_EQ(buckets.tensor_begin(tensor) + begin, next);
    EXPECT_LE(end, sizes[tensor]);
    next += end - begin;
  }
  EXPECT_EQ(next, to);
}

}  // namespace
}  // namespace gladius::train
