#include "gladius/train/data/data_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

std::vector<std::int64_t> take(DataOrder& order, std::int64_t begin, std::int64_t count) {
  std::vector<std::int64_t> taken;
  for (std::int64_t i = begin; i < begin + count; ++i) taken.push_back(order.example_at(i));
  return taken;
}

TEST(DataOrder, OfTheFileWrapsAround) {
  DataOrder order(3, false, 5);
  EXPECT_THAT(take(order, 0, 7), ::testing::ElementsAre(0, 1, 2, 0, 1, 2, 0));
}

TEST(DataOrder, ShuffledEpochsArePermutationsThatDiffer) {
  DataOrder order(50, true, 5);
  const auto first = take(order, 0, 50), second = take(order, 50, 50);
  EXPECT_NE(first, second);
  for (auto epoch : {first, second}) {
    EXPECT_FALSE(std::ranges::is_sorted(epoch));
    std::ranges::sort(epoch);
    for (std::int64_t i = 0; i < 50; ++i) EXPECT_EQ(epoch[static_cast<std::size_t>(i)], i);
  }
}

TEST(DataOrder, IsAFunctionOfSeedAndPosition) {
  DataOrder whole(11, true, 9), later(11, true, 9), other(11, true, 10);
  const auto expected = take(whole, 0, 40);
  EXPECT_EQ(take(later, 25, 15), std::vector(expected.begin() + 25, expected.end()));
  EXPECT_NE(take(other, 0, 40), expected);
  EXPECT_THROW(DataOrder(0, true, 1), Error);
}

}  // namespace
}  // namespace gladius::train
