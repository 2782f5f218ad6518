// The order in which examples are visited.
#pragma once

#include <cstdint>
#include <vector>

namespace gladius::train {

/// Maps positions 0, 1, 2, ... of a run to examples: in the order of the file, or in an order drawn
/// anew from the seed for each epoch; after the last example the next epoch begins. A position is
/// all there is to save of it.
class DataOrder {
 public:
  DataOrder(std::int64_t examples, bool shuffle, std::uint64_t seed);

  std::int64_t example_at(std::int64_t position);

 private:
  void draw(std::int64_t epoch);

  std::int64_t examples_;
  bool shuffle_;
  std::uint64_t seed_;
  std::int64_t drawn_epoch_ = -1;
  std::vector<std::int64_t> permutation_;  // of drawn_epoch_
};

}  // namespace gladius::train
