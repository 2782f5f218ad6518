// Ranks that update on their own and now and then agree (DiLoCo, arXiv:2311.08105).
#pragma once

#include <utility>
#include <vector>

#include "gladius/autograd/variable.h"
#include "gladius/optim/optimizer.h"
#include "gladius/train/loop/ranks.h"
#include "gladius/train/loop/tensor_buckets.h"

namespace gladius::train {

/// What brings the ranks' weights together again after updates that each has made of its own: the
/// mean over the ranks of how their weights differ from those they last agreed on is a step, which
/// Nesterov's momentum applies to the latter:
///
///     v = momentum * v + mean;  weights = agreed + lr * (mean + momentum * v)
///
/// What the ranks' optimizers keep becomes its mean, so that all ranks are alike afterwards: one
/// checkpoint has everything. Sums are in the ranks' order: the same bits for the same ranks. For
/// one thread at a time.
class LocalUpdates {
 public:
  struct Options {
    double lr = 0.7, momentum = 0.9;
    bool compress = false;  // values travel as bf16, the weights' with error feedback
    std::int64_t bucket = kBucketElements;
  };

  /// The parameters' values (F32) are what the ranks agree on.
  LocalUpdates(Ranks& ranks, NamedVariables parameters, Options options);

  /// All ranks call it after the same updates. ClusterError.
  void synchronise(Optimizer& optimizer);

  /// The outer momentum: `NAME.outer_momentum` of each parameter; none before there is one.
  NamedTensors state_dict() const;
  /// Takes it; the parameters' values are again what the ranks agree on. FormatError.
  void load_state_dict(const NamedTensors& state);
  /// A checkpoint's tensors as an optimizer's state and this one.
  static std::pair<NamedTensors, NamedTensors> split(const NamedTensors& state);

 private:
  std::vector<Tensor> values() const;
  void agree();
  void average_weights();
  void average_states(Optimizer& optimizer);
  void average(std::vector<float>& bucket, std::span<float> residual);

  Ranks& ranks_;
  NamedVariables parameters_;
  Options options_;
  TensorBuckets buckets_;
  std::vector<float> agreed_, momentum_;  // of all elements
  std::vector<float> residual_;           // the same, if values are compressed
  bool has_momentum_ = false;             // which is not all zero
};

}  // namespace gladius::train
