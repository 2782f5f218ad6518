#include "gladius/train/data/data_order.h"

#include <numeric>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/random.h"

namespace gladius::train {

DataOrder::DataOrder(std::int64_t examples, bool shuffle, std::uint64_t seed)
    : examples_(examples), shuffle_(shuffle), seed_(seed) {
  if (examples < 1) throw Error("data order: there are no examples");
}

std::int64_t DataOrder::example_at(std::int64_t position) {
  const std::int64_t epoch = position / examples_, index = position % examples_;
  if (!shuffle_) return index;
  if (epoch != drawn_epoch_) draw(epoch);
  return permutation_[static_cast<std::size_t>(index)];
}

// Fisher & Yates, with random numbers of the epoch's own.
void DataOrder::draw(std::int64_t epoch) {
  constexpr int kDrawsAnEpoch = 32;  // bits: more than any number of examples
  Generator generator(seed_);
  generator.set_state(
      {.seed = seed_, .offset = static_cast<std::uint64_t>(epoch) << kDrawsAnEpoch});
  permutation_.resize(static_cast<std::size_t>(examples_));
  std::iota(permutation_.begin(), permutation_.end(), std::int64_t{0});
  for (std::int64_t i = examples_ - 1; i > 0; --i) {
    std::swap(permutation_[static_cast<std::size_t>(i)],
              permutation_[static_cast<std::size_t>(generator.randint(0, i + 1))]);
  }
  drawn_epoch_ = epoch;
}

}  // namespace gladius::train
