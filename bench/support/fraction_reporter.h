// Google Benchmark's lines on a terminal, with fractions as people read them.
#pragma once

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace gladius::bench {

/// Writes the counters "of_..." as 0.83; Google Benchmark's own form of that is 830m.
class FractionReporter : public benchmark::ConsoleReporter {
 public:
  explicit FractionReporter(OutputOptions options) : ConsoleReporter(options) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> shown = runs;
    for (Run& run : shown) move_fractions_to_label(run);
    ConsoleReporter::ReportRuns(shown);
  }

 private:
  static void move_fractions_to_label(Run& run) {
    // What is a fraction of another run's figures (the coefficient of variation) is in percent.
    if (run.run_type == Run::RT_Aggregate &&
        run.aggregate_unit == benchmark::StatisticUnit::kPercentage) {
      return;
    }
    for (auto counter = run.counters.begin(); counter != run.counters.end();) {
      if (!std::string_view(counter->first).starts_with("of_")) {
        ++counter;
        continue;
      }
      if (!run.report_label.empty()) run.report_label += ' ';
      run.report_label += fmt::format("{}={:.2f}", counter->first, counter->second.value);
      counter = run.counters.erase(counter);
    }
  }
};

}  // namespace gladius::bench
