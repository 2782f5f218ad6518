// The ranks of a run, as its trainer sees them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gladius/autograd/variable.h"
#include "gladius/train/cluster/communicator.h"

namespace gladius::train {

/// What a Trainer of several ranks asks of the others: micro-batch j of a group is computed by rank
/// j mod N, and every rank makes every update. All ranks call the same functions in the same order.
/// A rank is told of each group (announce, hear) by rank 0, which alone decides when the run ends.
/// For one thread at a time. ClusterError where another rank is gone.
class Ranks {
 public:
  explicit Ranks(cluster::Communicator& communicator) : communicator_(communicator) {}

  int rank() const { return communicator_.rank(); }
  int size() const { return communicator_.size(); }
  bool leads() const { return rank() == 0; }
  /// Of the micro-batch with this number within its group.
  int owner(std::int64_t micro_batch) const { return static_cast<int>(micro_batch % size()); }
  cluster::Communicator& communicator() { return communicator_; }

  /// Rank 0 begins a group, or ends the run.
  void announce(bool group);
  /// The other ranks: whether a group begins; false: the run ends.
  bool hear();

  /// Sums over the ranks, in their order.
  std::vector<double> sum(std::vector<double> values);
  /// Rank 0's, for all.
  std::vector<double> of_rank_0(std::vector<double> values);
  /// The sum of the ranks' gradients takes the place of each, in the order of the parameters and in
  /// buckets of one size, so that the bits depend on the values and the number of ranks alone. A
  /// gradient that no rank has stays undefined.
  void sum_gradients(const NamedVariables& parameters);
  /// All tensors, which have the same shapes on all ranks, become rank 0's.
  void broadcast(const std::vector<Tensor>& tensors);

  /// Seconds in which this rank has waited for others and for messages, all together.
  double waited() const { return waited_s_; }

 private:
  class Waiting;
  void sum_bucket(const std::vector<Tensor>& gradients, std::int64_t begin, std::int64_t end);

  cluster::Communicator& communicator_;
  std::vector<float> bucket_;
  double waited_s_ = 0;
};

}  // namespace gladius::train
