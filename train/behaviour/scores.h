// How many cases are right, by category.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gladius/train/behaviour/judge.h"

namespace gladius::train {

struct Interval {
  double low, high;
};

/// Wilson's interval for a share of which `right` of `cases` (above 0) were seen, at 95%.
Interval wilson_interval(std::int64_t right, std::int64_t cases);

struct Score {
  std::int64_t cases = 0, parsed = 0, all_right = 0;
  /// Of the cases that expect one or more calls.
  std::int64_t calls = 0, name_right = 0, arguments_right = 0;

  void add(const Case& one, const Verdict& verdict);
  /// The counts, and "interval": [low, high] of all_right.
  nlohmann::ordered_json to_json() const;
};

struct Scores {
  Score total;
  /// In the order in which they are first seen.
  std::vector<std::pair<std::string, Score>> categories;

  void add(const Case& one, const Verdict& verdict);
};

}  // namespace gladius::train
