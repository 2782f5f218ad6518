#include "gladius/train/behaviour/scores.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace gladius::train {

Interval wilson_interval(std::int64_t right, std::int64_t cases) {
  constexpr double z = 1.959963984540054;  // 97.5% of a normal distribution are below it
  const auto n = static_cast<double>(cases);
  const double share = static_cast<double>(right) / n;
  const double center = share + z * z / (2 * n);
  const double spread = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // At the ends the bound is the share itself, but for rounding.
  return {right == 0 ? 0 : (center - spread) / scale,
          right == cases ? 1 : (center + spread) / scale};
}

void Score::add(const Case& one, const Verdict& verdict) {
  ++cases;
  calls += !expected_calls(one.expected).empty();
  parsed += verdict.parsed;
  name_right += verdict.name_right;
  arguments_right += verdict.arguments_right;
  all_right += verdict.right;
}

nlohmann::ordered_json Score::to_json() const {
  nlohmann::ordered_json json{{"cases", cases},
                              {"parsed", parsed},
                              {"calls", calls},
                              {"name_right", name_right},
                              {"arguments_right", arguments_right},
                              {"all_right", all_right}};
  if (cases > 0) {
    const Interval interval = wilson_interval(all_right, cases);
    json["interval"] = {interval.low, interval.high};
  }
  return json;
}

void Scores::add(const Case& one, const Verdict& verdict) {
  total.add(one, verdict);
  auto known = std::ranges::find(categories, one.category, &std::pair<std::string, Score>::first);
  if (known == categories.end()) known = categories.insert(known, {one.category, Score()});
  known->second.add(one, verdict);
}

}  // namespace gladius::train
