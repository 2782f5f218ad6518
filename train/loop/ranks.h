// The ranks of a run, as its trainer sees them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gladius/tensor/tensor.h"
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

  /// What rank 0 does next: a group, a checkpoint of which the others have a part, or the end.
  enum class Next : std::uint8_t { group, checkpoint, end };
  void announce(Next next);
  /// The other ranks: what rank 0 has announced.
  Next hear();

  /// Sums over the ranks, in their order.
  std::vector<double> sum(std::vector<double> values);
  /// Rank 0's, for all.
  std::vector<double> of_rank_0(std::vector<double> values);
  /// All tensors, which have the same shapes on all ranks, become rank 0's.
  void broadcast(const std::vector<Tensor>& tensors);

  /// Seconds in which this rank has waited for others and for messages, all together.
  double waited() const { return waited_s_; }
  /// Calls `wait`, whose time counts as such.
  template <class Wait>
  void wait_for(const Wait& wait) {
    const Waiting waiting(waited_s_);
    wait();
  }

 private:
  // Counts the time that it lives.
  class Waiting {
   public:
    explicit Waiting(double& seconds) : seconds_(seconds) {}
    ~Waiting() {
      seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    double& seconds_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  };

  cluster::Communicator& communicator_;
  double waited_s_ = 0;
};

}  // namespace gladius::train
