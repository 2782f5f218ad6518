// What has been tried, and what survived.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

namespace gladius::faults {

/// Counts by kind.
class Tally {
 public:
  /// `wrong`: empty if the run survived.
  void add(const std::string& kind, const std::string& fault, const std::string& wrong) {
    auto& [tried, survived] = counts_[kind];
    ++tried;
    survived += wrong.empty();
    if (!wrong.empty()) fmt::print("FAILED: {}, {}: {}\n", kind, fault, wrong);
  }
  /// Prints the table; whether all survived.
  bool print() const {
    int all = 0, fine = 0;
    for (const auto& [kind, counts] : counts_) {
      fmt::print("{:<55} {:>5} tried, {:>5} survived\n", kind, counts.first, counts.second);
      all += counts.first;
      fine += counts.second;
    }
    fmt::print("{:<55} {:>5} tried, {:>5} survived\n", "all", all, fine);
    return all == fine;
  }

 private:
  std::map<std::string, std::pair<int, int>> counts_;
};

}  // namespace gladius::faults
