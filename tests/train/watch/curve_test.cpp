#include "gladius/train/watch/curve.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace gladius::train {
namespace {

TEST(WatchedCurve, PartsHaveTheMeanAndTheRangeOfTheirSteps) {
  const unsigned seed = std::random_device{}();
  fmt::print("seed {}\n", seed);
  std::mt19937 rng(seed);
  for (int round = 0; round < 200; ++round) {
    Curve curve;
    std::vector<std::pair<std::int64_t, double>> values;
    std::int64_t step = rng() % 5;
    const unsigned apart = 1 + rng() % 4;  // 1: each step has a value, but for those that have none
    for (int i = 0, count = static_cast<int>(rng() % 300); i < count;
         ++i, step += 1 + rng() % apart) {
      const double value = rng() % 10 == 0 ? std::nan("") : std::ldexp(rng() % 1000, -5);
      curve.add(step, value);
      if (std::isfinite(value)) values.emplace_back(step, value);
    }
    const auto below = [&](unsigned bound) { return static_cast<std::int64_t>(rng() % bound); };
    const std::int64_t begin = below(200), end = begin + below(900), most = 1 + below(100);
    std::erase_if(values, [&](const auto& v) { return v.first < begin || v.first >= end; });

    const auto points = curve.points({begin, end}, most);
    ASSERT_LE(std::ssize(points), most);
    if (std::ssize(values) <= most) {
      ASSERT_EQ(points.size(), values.size());
    }
    std::size_t i = 0;
    for (std::size_t p = 0; p < points.size(); ++p) {
      const auto next = p + 1 < points.size() ? points[p + 1].step : end;
      double sum = 0, least = 1e9, largest = -1e9;
      std::size_t count = 0;
      EXPECT_EQ(points[p].step, values[i].first);
      for (; i < values.size() && values[i].first < next; ++i, ++count) {
        sum += values[i].second;
        least = std::min(least, values[i].second);
        largest = std::max(largest, values[i].second);
      }
      EXPECT_NEAR(points[p].mean, sum / static_cast<double>(count), 1e-11);
      EXPECT_EQ(points[p].least, least);
      EXPECT_EQ(points[p].largest, largest);
    }
    EXPECT_EQ(i, values.size()) << "each value is in a part";
  }
}

}  // namespace
}  // namespace gladius::train
