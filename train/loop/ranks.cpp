#include "gladius/train/loop/ranks.h"

#include <algorithm>
#include <functional>
#include <span>

#include "gladius/train/cluster/ordered_sum.h"

namespace gladius::train {

void Ranks::announce(Next next) {
  const std::string text(1, static_cast<char>('0' + static_cast<int>(next)));
  cluster::broadcast_text(communicator_, text);
}

Ranks::Next Ranks::hear() {
  const std::string text = cluster::broadcast_text(communicator_, "");
  return text.size() == 1 ? static_cast<Next>(text[0] - '0') : Next::end;
}

std::vector<double> Ranks::sum(std::vector<double> values) {
  const Waiting waiting(waited_s_);
  return cluster::sum_of(communicator_, std::move(values));
}

std::vector<double> Ranks::of_rank_0(std::vector<double> values) {
  const Waiting waiting(waited_s_);
  cluster::broadcast(communicator_, std::as_writable_bytes(std::span(values)));
  return values;
}

void Ranks::broadcast(const std::vector<Tensor>& tensors) {
  for (Tensor tensor : tensors) {
    cluster::broadcast(communicator_,
                       {static_cast<std::byte*>(tensor.raw_data()), tensor.nbytes()});
  }
}

}  // namespace gladius::train
