// The sum of the ranks' gradients, behind the backward pass.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gladius/autograd/variable.h"
#include "gladius/train/cluster/communicator.h"
#include "gladius/train/loop/tensor_buckets.h"

namespace gladius::train {

/// Adds up the ranks' gradients in buckets of one size, which follow from the order of the
/// parameters alone: the bits of the sums depend on the values and the number of ranks. A bucket
/// starts, the last one first, as soon as its gradients are complete, on a thread that uses the
/// communicator meanwhile; nobody else does between begin() and finish(). Each rank adds up its own
/// share of each bucket. All ranks call the same functions in the same order.
class GradientReducer {
 public:
  struct Options {
    bool gather = true;     // all get all sums; else each rank has those of its own shares
    bool compress = false;  // gradients travel as bf16; see reduce_scatter_compressed
    std::int64_t bucket = kBucketElements;
  };

  GradientReducer(cluster::Communicator& ranks, NamedVariables parameters, Options options);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  void begin();
  /// No more comes to this parameter's gradient (a GradientObserver's leaf).
  void complete(const Node* leaf);
  /// Sums what is left, and returns when all sums are there: the sums are the parameters'
  /// gradients. What no rank has a gradient of has none afterwards. ClusterError.
  void finish();

  /// The shares that this rank adds up.
  const std::vector<TensorBuckets::Slice>& own() const { return own_; }
  /// Sums over own() of each parameter's squared gradient.
  std::vector<double> own_squares() const;
  /// Each rank's own() of the parameters' values, for all.
  void gather_values();

 private:
  void work();
  void reduce(std::size_t bucket);
  void submit(std::size_t bucket);

  cluster::Communicator& ranks_;
  NamedVariables parameters_;
  Options options_;
  TensorBuckets buckets_;
  std::vector<TensorBuckets::Slice> own_;
  std::unordered_map<const Node*, std::size_t> index_;
  std::vector<float> bucket_, residual_;

  // Of this group.
  std::vector<bool> is_complete_;
  std::vector<std::size_t> missing_;  // of each bucket: parameters that are not complete
  std::size_t left_ = 0;              // buckets that are not submitted: the first ones
  std::vector<Tensor> gradients_;     // of parameters in submitted buckets
  std::vector<double> present_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::size_t> jobs_;
  bool works_ = false, ends_ = false;
  std::exception_ptr error_;
  std::thread worker_;  // comes last
};

}  // namespace gladius::train
